import type { CallableTask, EnqueueArguments } from "./callable-task.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./errors.ts";
import { checkName } from "./message.ts";
import { type EnqueueOptions, resolveTaskOptions } from "./task-options.ts";
import { resolveTiming, type Timing, type TimingOptions } from "./timing/timing.ts";

const scheduleBrand = Symbol.for("taskferry.schedule");

/** When a task is enqueued, and what happens when that goes wrong. `docs/defaults.md` lists all defaults. */
export type ScheduleOptions = TimingOptions & {
  /** What becomes of fires that nobody could make in time. */
  readonly misfire?: MisfireOptions;
  /**
   * What happens to a fire while the execution of an earlier one goes on, its retries included. `"allow"` (default): it
   * runs beside it. `"skip"`: it is cancelled. `"queue"`: it waits until the other has ended. Workers see to it, and need a
   * state store for it.
   */
  readonly overlap?: Overlap;
  /** A fire is delayed by a time between 0 and this, the same on every replica; by the broker. Default 0. */
  readonly jitter?: Duration;
  /** Options of each enqueue. */
  readonly enqueue?: Omit<EnqueueOptions, "id" | "delay" | "at">;
};

export interface MisfireOptions {
  /** How late a fire may be made and still count as made in time. Default `"1m"`. */
  readonly grace?: Duration;
  /**
   * What becomes of those that are later: `"skip"` them, make the latest of them `"once"` (default), or make `"all"`, the
   * newest `max`. Those within the grace are made in any case.
   */
  readonly policy?: "skip" | "once" | "all";
  /** With `"all"`: 1 to 1,000. Default 100. */
  readonly max?: number;
}

export type Overlap = "allow" | "skip" | "queue";

/** A schedule: a value made by {@link defineSchedule}, for the configuration or for `client.schedules`. */
export interface Schedule {
  readonly id: string;
  readonly task: CallableTask;
  readonly input: unknown;
  readonly timing: Timing;
  readonly policy: SchedulePolicy;
  readonly enqueue: NonNullable<ScheduleOptions["enqueue"]>;
}

/** What a schedule says besides its times; durations in milliseconds. */
export interface SchedulePolicy {
  readonly misfire: "skip" | "once" | "all";
  readonly grace: number;
  readonly max: number;
  readonly overlap: Overlap;
  readonly jitter: number;
}

/**
 * Defines a schedule: `task` is enqueued with `input` again and again. It does nothing by itself: give it to the
 * `schedules` of a configuration, or to `client.schedules.create`.
 *
 * @param id - unique over all that share a state store: 1 to 100 letters, digits, `_`, `.`, `-`.
 * @throws OptionError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`.
 */
// biome-ignore lint/complexity/useMaxParams: as of enqueue, task, input and options, and the id before
export function defineSchedule<TInput>(
  id: string,
  options: ScheduleOptions,
  task: CallableTask<TInput, unknown>,
  ...[input]: EnqueueArguments<TInput, never>
): Schedule {
  checkName("schedule", id);
  const subject = `schedule ${id}`;
  const enqueue = options.enqueue ?? {};
  resolveTaskOptions(enqueue, `${subject}, enqueue`, task.options);
  const schedule: Schedule & { readonly [scheduleBrand]: true } = {
    [scheduleBrand]: true,
    id,
    task: task as CallableTask,
    input,
    timing: resolveTiming(options, subject),
    policy: resolvePolicy(options, task, subject),
    enqueue,
  };
  return Object.freeze(schedule);
}

/** Whether `value` was made by `defineSchedule`, of whichever copy of this package. */
export function isSchedule(value: unknown): value is Schedule {
  return typeof value === "object" && value !== null && scheduleBrand in value;
}

function resolvePolicy(
  { misfire = {}, overlap = "allow", jitter = 0 }: ScheduleOptions,
  task: CallableTask<never, unknown> | CallableTask,
  subject: string,
): SchedulePolicy {
  const { grace = "1m", policy = "once", max = 100 } = misfire;
  if (!["skip", "once", "all"].includes(policy))
    throw invalid(`${subject}, misfire.policy`, '"skip", "once" or "all"', policy);
  if (!Number.isInteger(max) || max < 1 || max > 1_000)
    throw invalid(`${subject}, misfire.max`, "a whole number from 1 to 1,000", max);
  if (!["allow", "skip", "queue"].includes(overlap))
    throw invalid(`${subject}, overlap`, '"allow", "skip" or "queue"', overlap);
  if (task.options.broadcast && overlap !== "allow")
    throw invalid(`${subject}, overlap`, '"allow", since every worker runs a broadcast', overlap);
  return {
    misfire: policy,
    grace: parseDuration(grace, `${subject}, misfire.grace`),
    max,
    overlap,
    jitter: parseDuration(jitter, `${subject}, jitter`),
  };
}

function invalid(option: string, expected: string, found: unknown): OptionError {
  return new OptionError("OPTION_INVALID", `${option}: expected ${expected}, got ${JSON.stringify(found)}.`);
}
