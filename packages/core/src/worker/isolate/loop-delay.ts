/** Tells when the event loop of this thread was blocked. */
export interface LoopDelay {
  /** Takes the time until now for told. */
  forgive(): void;
}

/** @param limit - milliseconds of a block that are worth telling. */
export function watchLoopDelay(limit: number, onBlocked: (milliseconds: number) => void): LoopDelay {
  const interval = Math.max(10, Math.floor(limit / 2));
  let expected = performance.now() + interval;
  const timer = setInterval(() => {
    const late = performance.now() - expected;
    expected = performance.now() + interval;
    if (late > limit) onBlocked(Math.round(late));
  }, interval);
  timer.unref();
  return {
    forgive: () => {
      expected = performance.now() + interval;
    },
  };
}
