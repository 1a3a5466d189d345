/** By how much the event loop of this thread was late. */
export interface LoopLateness {
  /** Milliseconds at most, since it was asked before. */
  take(): number;
  stop(): void;
}

const interval = 20;

/** Node's own histogram misses a block that begins right after it was reset. */
export function measureLateness(): LoopLateness {
  let longest = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last - interval);
    last = now;
  };
  const timer = setInterval(look, interval).unref();
  return {
    take: () => {
      look();
      const lateness = Math.round(longest);
      longest = 0;
      return lateness;
    },
    stop: () => clearInterval(timer),
  };
}
