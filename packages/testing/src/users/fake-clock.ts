import { install } from "@sinonjs/fake-timers";
import { type Duration, parseDuration } from "@taskferry/core";

/** The time of this process, moved by a test. */
export interface FakeClock extends Disposable {
  /** Wall-clock epoch milliseconds. */
  readonly now: number;
  /**
   * Moves the time on. What becomes due on the way runs in its order, each with its consequences: a delay that ends, a
   * retry, a timeout, the next fire of a schedule. Work that waits for files or sockets is not waited for.
   */
  advance(duration: Duration): Promise<void>;
  /** Gives the process its own time back. */
  restore(): void;
}

const faked = ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] as const;

/**
 * Stops the time of the whole process: `Date`, timers and `performance.now()`, for the memory broker and for everything
 * else. Begin before the client and the worker are made, and close those before `restore()`. Servers keep their own time.
 *
 * @param options - `now`: where it begins. Default: the present.
 */
export function fakeClock({ now = Date.now() }: { readonly now?: number | Date } = {}): FakeClock {
  const clock = install({ now, toFake: [...faked] });
  const restore = (): void => clock.uninstall();
  return {
    get now() {
      return clock.now;
    },
    advance: async (duration) => {
      await settle();
      await clock.tickAsync(parseDuration(duration, "advance"));
      await settle();
    },
    restore,
    [Symbol.dispose]: restore,
  };
}

/** Lets what has begun come to where it waits for time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
