import { type Duration, parseDuration } from "../duration.ts";
import { FailTask, isTaskferryError, OptionError, RetryLater } from "../errors.ts";
import type { Middleware } from "../middleware.ts";
import { type ErrorMatch, matchesAny } from "./error-match.ts";

export interface RetryByErrorOptions {
  /** Errors that no further attempt can help: the task fails for good, whatever attempts are left. */
  readonly never?: readonly ErrorMatch[];
  /** If given, all others fail for good. Not together with `never`. */
  readonly only?: readonly ErrorMatch[];
  /** Errors that say when to come back, such as a rate limit: no attempt is counted. The first that matches holds. */
  readonly later?: readonly RetryLaterRule[];
}

export interface RetryLaterRule {
  readonly on: ErrorMatch;
  readonly delay: Duration;
  /** How long after its enqueue a task may be put off so; then it is an ordinary failure. Default `"1h"`. */
  readonly until?: Duration;
}

/**
 * Decides by the class of an error whether a task is tried again. How often and when stays with the `retry` of the task.
 * The error is kept as the `cause` of the recorded one.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function retryByError({ never, only, later = [] }: RetryByErrorOptions): Middleware {
  if (never !== undefined && only !== undefined)
    throw new OptionError("OPTION_INVALID", "retryByError: expected `never` or `only`, got both.");
  const rules = later.map(({ on, delay, until = "1h" }) => ({
    on,
    delay: parseDuration(delay, "retryByError, later.delay"),
    until: parseDuration(until, "retryByError, later.until"),
  }));
  return {
    name: "retryByError",
    execute: async ({ message, options }, next) => {
      try {
        return await next();
      } catch (error) {
        if (isDecision(error)) throw error;
        const rule = rules.find(({ on }) => matchesAny(error, [on]));
        const canComeAgain = options.acknowledge !== "received";
        if (rule !== undefined && canComeAgain && Date.now() - message.enqueuedAt < rule.until)
          throw new RetryLater(rule.delay);
        const isFinal = only === undefined ? matchesAny(error, never ?? []) : !matchesAny(error, only);
        if (isFinal && rule === undefined) throw new FailTask(textOf(error), { cause: error });
        throw error;
      }
    },
  };
}

/** What the handler has decided itself stands. */
function isDecision(error: unknown): boolean {
  return isTaskferryError(error) && ["CancelTask", "FailTask", "RetryLater"].includes(error.name);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
