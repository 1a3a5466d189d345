import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./errors.ts";

/**
 * How many of a task may run, and start, at once: counted over all workers that share a state store. What is above it
 * waits in its queue, holds no slot of a worker and uses up no attempt.
 */
export interface LimitOptions<TInput = unknown> {
  /**
   * Limits each key by itself: `({ userId }) => userId`. It runs in the worker, on the decoded input, before the handler.
   * Default: one limit for all of the task.
   */
  readonly key?: (input: TInput) => string;
  /** How many run at once, at most. A place is given back when the handler has ended. */
  readonly concurrency?: number;
  /** How many start within any span of `per`, at most. */
  readonly rate?: { readonly limit: number; readonly per: Duration };
}

/** Limits with durations in milliseconds. */
export interface ResolvedLimit {
  readonly key: ((input: unknown) => string) | undefined;
  readonly concurrency: number | undefined;
  readonly rate: { readonly limit: number; readonly per: number } | undefined;
}

/** @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`. */
export function resolveLimit(limit: LimitOptions<never> | undefined, subject: string): ResolvedLimit | undefined {
  if (limit === undefined) return undefined;
  const { key, concurrency, rate } = limit;
  if (key !== undefined && typeof key !== "function")
    throw invalid(`${subject}, limit.key`, "a function of the input that returns a string", key);
  if (concurrency === undefined && rate === undefined)
    throw invalid(`${subject}, limit`, "`concurrency`, `rate` or both", limit);
  if (concurrency !== undefined && !isCount(concurrency))
    throw invalid(`${subject}, limit.concurrency`, "a whole number from 1", concurrency);
  return {
    key: key as ((input: unknown) => string) | undefined,
    concurrency,
    rate: rate === undefined ? undefined : resolveRate(rate, `${subject}, limit.rate`),
  };
}

function resolveRate(rate: NonNullable<LimitOptions["rate"]>, subject: string): { limit: number; per: number } {
  if (!isCount(rate.limit)) throw invalid(`${subject}.limit`, "a whole number from 1", rate.limit);
  const per = parseDuration(rate.per, `${subject}.per`);
  if (per < 1) throw invalid(`${subject}.per`, "at least 1 ms", rate.per);
  return { limit: rate.limit, per };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1;
}

function invalid(option: string, expected: string, found: unknown): OptionError {
  return new OptionError("OPTION_INVALID", `${option}: expected ${expected}, got ${JSON.stringify(found)}.`);
}
