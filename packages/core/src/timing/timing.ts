import { type Duration, parseDuration } from "../duration.ts";
import { OptionError } from "../errors.ts";
import { type NextInstant, readCron } from "./cron.ts";

/** When a schedule is due: by a cron expression, at an interval, or once. */
export type TimingOptions = (
  | {
      /**
       * Minute, hour, day of the month, month, day of the week; seconds may stand before and years behind. Names, lists,
       * ranges, steps, `L`, `W`, `#` and nicknames such as `@daily` are understood.
       */
      readonly cron: string;
      /** An IANA time zone. Default `"UTC"`, so that all replicas mean the same. */
      readonly timeZone?: string;
      readonly every?: never;
      readonly at?: never;
    }
  | {
      /**
       * Whole seconds, 1 at least. Counted from `from` where that is given, else from the epoch: `"15m"` means at 0, 15, 30
       * and 45 minutes of every hour, whenever the schedule was made.
       */
      readonly every: Duration;
      readonly cron?: never;
      readonly timeZone?: never;
      readonly at?: never;
    }
  | {
      /** Once: a date or epoch milliseconds. */
      readonly at: Date | number;
      readonly cron?: never;
      readonly timeZone?: never;
      readonly every?: never;
    }
) & {
  /** Not before. Default: from the start on. */
  readonly from?: Date | number;
  /** Not after. Default: for ever. */
  readonly until?: Date | number;
};

/** A timing that was checked: plain data, equal where it means the same. Times in epoch milliseconds. */
export interface Timing {
  readonly cron?: string;
  readonly timeZone?: string;
  readonly every?: number;
  readonly at?: number;
  readonly from?: number;
  readonly until?: number;
}

/** @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`. */
export function resolveTiming(options: TimingOptions, subject: string): Timing {
  const { cron, timeZone, every, at } = options as Record<keyof Timing, unknown>;
  const given = [cron, every, at].filter((value) => value !== undefined).length;
  if (given !== 1)
    throw new OptionError(
      "OPTION_INVALID",
      `${subject}: expected one of \`cron\`, \`every\` and \`at\`, got ${given}.`,
    );
  if (timeZone !== undefined && cron === undefined)
    throw new OptionError("OPTION_INVALID", `${subject}, timeZone: expected it with \`cron\` alone.`);
  const timing: Timing = {
    ...(cron !== undefined && { cron: String(cron).trim(), timeZone: String(timeZone ?? "UTC") }),
    ...(every !== undefined && { every: readEvery(every as Duration, subject) }),
    ...(at !== undefined && { at: readTime(at, `${subject}, at`) }),
    ...(options.from !== undefined && { from: readTime(options.from, `${subject}, from`) }),
    ...(options.until !== undefined && { until: readTime(options.until, `${subject}, until`) }),
  };
  if (timing.from !== undefined && timing.until !== undefined && timing.until < timing.from)
    throw new OptionError("OPTION_INVALID", `${subject}, until: expected a time not before \`from\`.`);
  createNextAfter(timing, subject);
  return timing;
}

/**
 * The nominal times of a timing, one after the other: the first after an instant, `undefined` when there is none.
 *
 * @throws OptionError `OPTION_INVALID` for a cron expression or a time zone that cannot be read.
 */
export function createNextAfter(timing: Timing, subject = "timing"): NextInstant {
  const { from = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = timing;
  const next = createUnbounded(timing, subject);
  return (instant) => {
    const found = next(Math.max(instant, from - 1));
    return found !== undefined && found <= until ? found : undefined;
  };
}

function createUnbounded({ cron, timeZone = "UTC", every, at, from = 0 }: Timing, subject: string): NextInstant {
  if (cron !== undefined) return readCron(cron, timeZone, subject);
  if (every !== undefined) return (instant) => from + (Math.floor((instant - from) / every) + 1) * every;
  return (instant) => (at !== undefined && at > instant ? at : undefined);
}

function readEvery(every: Duration, subject: string): number {
  const milliseconds = parseDuration(every, `${subject}, every`);
  if (milliseconds >= 1_000 && milliseconds % 1_000 === 0) return milliseconds;
  throw new OptionError(
    "OPTION_INVALID",
    `${subject}, every: expected whole seconds, 1 at least, got ${milliseconds} ms.`,
  );
}

function readTime(time: unknown, subject: string): number {
  const milliseconds = time instanceof Date ? time.getTime() : time;
  if (typeof milliseconds === "number" && Math.abs(milliseconds) <= 8.64e15) return Math.round(milliseconds);
  throw new OptionError(
    "OPTION_INVALID",
    `${subject}: expected a valid date or epoch milliseconds, got ${String(time)}.`,
  );
}
