import { setTimeout as wait } from "node:timers/promises";
import { isTaskferryError } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";

/**
 * Repeats an idempotent call with growing pauses until it succeeds, and rejects with its last error when `limit`
 * milliseconds are over, `isWanted` says no, or the error is of taskferry's and not retryable.
 */
export async function persist<T>(
  call: () => Promise<T>,
  { limit, isWanted }: { readonly limit: number; readonly isWanted: () => boolean },
): Promise<T> {
  const deadline = monotonicNow() + limit;
  for (let pause = 50; ; pause = Math.min(pause * 2, 2_000)) {
    try {
      return await call();
    } catch (error) {
      const isHopeless = isTaskferryError(error) && !error.retryable;
      if (isHopeless || !isWanted() || monotonicNow() + pause >= deadline) throw error;
      await wait(pause * (0.5 + Math.random() / 2));
      // Who has stopped meanwhile must not write any more: the task is another's by now.
      if (!isWanted()) throw error;
    }
  }
}
