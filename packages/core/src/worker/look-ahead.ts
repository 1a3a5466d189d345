import { monotonicNow } from "../lifecycle.ts";

/** Milliseconds of work that a worker may hold in its buffer: enough to hide round trips, too short to starve an idle worker. */
const horizon = 50;
/** Deliveries looked ahead at most, whatever the rate. */
export const maxLookAhead = 1_000;
const shortestSample = 20;

/**
 * How many deliveries to hold beyond the running ones: as many as will start within the horizon at the rate of late. For
 * tasks of microseconds that is hundreds; for tasks of seconds none.
 */
export interface LookAhead {
  /** To be told of each handler that ends. */
  count(): void;
  current(): number;
}

export function createLookAhead(now: () => number = monotonicNow): LookAhead {
  let ended = 0;
  let since = now();
  let rate = 0;
  const sample = (): void => {
    const elapsed = now() - since;
    if (elapsed < shortestSample) return;
    const latest = ended / elapsed;
    // A burst counts at once; a pause halves what was believed, so that one slow batch does not end the look-ahead.
    rate = latest > rate ? latest : (rate + latest) / 2;
    ended = 0;
    since = now();
  };
  return {
    count: () => {
      ended += 1;
    },
    current: () => {
      sample();
      return Math.min(maxLookAhead, Math.floor(rate * horizon));
    },
  };
}
