import { setTimeout as wait } from "node:timers/promises";
import { isTaskferryError } from "./errors.ts";
import { monotonicNow } from "./lifecycle.ts";
import type { Logger } from "./logger.ts";

/** Does a step of a start, again while its server is out of reach and time is left. */
export type PatientStart = <T>(step: () => Promise<T>) => Promise<T>;

export interface PatientStartParts {
  /** Milliseconds, from now on, for all steps together. */
  readonly startTimeout: number;
  /** Whether somebody still waits for the start. */
  readonly isWanted?: () => boolean;
  readonly logger: Logger;
}

/** Milliseconds between two tries, at most: a server that comes back is found soon. */
const longestPause = 1_000;

export function createPatientStart({ startTimeout, isWanted = () => true, logger }: PatientStartParts): PatientStart {
  const deadline = monotonicNow() + startTimeout;
  return async (step) => {
    for (let pause = 100; ; pause = Math.min(2 * pause, longestPause)) {
      try {
        return await step();
      } catch (error) {
        const isPassing = isTaskferryError(error, "BROKER_UNAVAILABLE") && error.retryable;
        if (!isPassing || !isWanted() || monotonicNow() + pause > deadline) throw error;
        logger.warn({ error }, "a server is out of reach: trying again");
        await wait(pause * (0.5 + Math.random() / 2));
      }
    }
  };
}
