/** Which queues a worker takes nothing from, for the time being. */
export interface Pauses {
  /** Takes nothing from `queue` until the returned function is called; calling it again does nothing. */
  pause(queue: string): () => void;
  has(queue: string): boolean;
  /** Called whenever `has(queue)` has changed. */
  onChange(queue: string, listener: () => void): void;
}

export function createPauses(): Pauses {
  const holds = new Map<string, number>();
  const listeners = new Map<string, (() => void)[]>();
  const count = (queue: string, by: 1 | -1): void => {
    const before = holds.get(queue) ?? 0;
    holds.set(queue, before + by);
    if (before === 0 || before + by === 0) for (const listener of listeners.get(queue) ?? []) listener();
  };
  return {
    pause: (queue) => {
      let isHeld = true;
      count(queue, 1);
      return () => {
        if (isHeld) count(queue, -1);
        isHeld = false;
      };
    },
    has: (queue) => (holds.get(queue) ?? 0) > 0,
    onChange: (queue, listener) => void listeners.set(queue, [...(listeners.get(queue) ?? []), listener]),
  };
}
