import { setTimeout as wait } from "node:timers/promises";
import { monotonicNow } from "@taskferry/core";
import { testingError } from "../testing-error.ts";

const pause = 50;
const limit = 30_000;

/**
 * Looks until it is so. A look that fails counts as no.
 *
 * @throws `WAIT_TIMED_OUT` after 30 seconds, with what the last look failed with.
 */
export async function untilTrue(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = monotonicNow() + limit;
  for (;;) {
    const [answer] = await Promise.allSettled([look()]);
    if (answer.status === "fulfilled" && answer.value) return;
    if (monotonicNow() > end) {
      const cause = answer.status === "rejected" ? { cause: answer.reason as unknown } : {};
      throw testingError("WAIT_TIMED_OUT", `Waited ${limit} ms for ${what}.`, cause);
    }
    await wait(pause);
  }
}
