/** What a scheduler knows of time. A test gives one that it turns by hand. */
export interface Clock {
  /** Wall-clock epoch milliseconds: what is due. It may jump, forward and back. */
  now(): number;
  /** Calls `wake` once, after so many milliseconds that no jump of the wall clock shortens or prolongs. Returns how to call it off. */
  after(milliseconds: number, wake: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, wake) => {
    const timer = setTimeout(wake, milliseconds);
    return () => clearTimeout(timer);
  },
};
