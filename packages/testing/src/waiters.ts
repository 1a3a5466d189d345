import { type Duration, parseDuration } from "@taskferry/core";
import { testingError } from "./testing-error.ts";

/** Bounds a wait. */
export interface WaitOptions {
  /** Ends the wait, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The longest wait: milliseconds, or a string such as `"10s"`. Default: no limit. Then it rejects with `WAIT_TIMED_OUT`. */
  readonly timeout?: Duration | undefined;
}

interface Waiter<T> {
  readonly fits: (item: T) => boolean;
  readonly resolve: (item: T) => void;
  readonly reject: (reason: unknown) => void;
}

/** Those who wait for something that is still to come. */
export class Waiters<T> {
  readonly #waiting = new Set<Waiter<T>>();

  /** Resolves with the next item that fits. `what` names it in the error of a wait that took too long. */
  wait(what: string, fits: (item: T) => boolean, options: WaitOptions = {}): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const leave = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        options.signal?.removeEventListener("abort", abort);
      };
      const waiter: Waiter<T> = {
        fits,
        resolve: (item) => {
          leave();
          resolve(item);
        },
        reject: (reason) => {
          leave();
          reject(reason);
        },
      };
      const abort = (): void => waiter.reject(options.signal?.reason);

      if (options.signal?.aborted) return abort();
      options.signal?.addEventListener("abort", abort);
      if (options.timeout !== undefined) {
        const limit = parseDuration(options.timeout, "timeout");
        timer = setTimeout(
          () => waiter.reject(testingError("WAIT_TIMED_OUT", `Waited ${limit} ms for ${what}.`)),
          limit,
        );
      }
      this.#waiting.add(waiter);
    });
    // A test may begin a wait, fail before it awaits it, and close what it waits on. The test's own failure is the one to report.
    promise.catch(() => undefined);
    return promise;
  }

  /** Gives the item to the one who has waited longest for such; false when nobody has. */
  hand(item: T): boolean {
    for (const waiter of this.#waiting) {
      if (!waiter.fits(item)) continue;
      waiter.resolve(item);
      return true;
    }
    return false;
  }

  /** Gives the item to all who wait for such. */
  announce(item: T): void {
    for (const waiter of [...this.#waiting]) if (waiter.fits(item)) waiter.resolve(item);
  }

  /** Ends every wait. */
  fail(reason: unknown): void {
    for (const waiter of [...this.#waiting]) waiter.reject(reason);
  }
}
