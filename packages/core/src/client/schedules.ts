import type { CallableTask } from "../callable-task.ts";
import type { Enqueued } from "../enqueue/enqueued.ts";
import type { Routes } from "../enqueue/routes.ts";
import { ConfigurationError, OptionError } from "../errors.ts";
import { createId } from "../id.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { Schedule, SchedulePolicy } from "../schedule.ts";
import { makeFire, makeTemplate, type TemplateParts, taskOf } from "../schedules/make.ts";
import { fireId, type ScheduleRecord } from "../schedules/record.ts";
import {
  createRegistry,
  newRecord,
  redefine,
  type ScheduleChange,
  type ScheduleRegistry,
  type StoredSchedule,
  unknownSchedule,
} from "../schedules/registry.ts";
import type { StateStore } from "../state-store.ts";
import { createNextAfter, type Timing } from "../timing/timing.ts";

/**
 * Schedules that come and go while everything runs. They are kept in the state store, and fired by whatever schedulers
 * run: `taskferry scheduler`, `taskferry worker --scheduler` or {@link createScheduler}. Calls reject with
 * `STATE_REQUIRED` where there is no state store, and with `BROKER_UNAVAILABLE` when it is out of reach.
 */
export interface Schedules<THandle> {
  /** Adds a schedule. It begins now: nothing of the past is made up for. @throws OptionError `SCHEDULE_EXISTS`, and `OPTION_INVALID` when it has no time to come. */
  create(schedule: Schedule): Promise<ScheduleInfo>;
  /**
   * Puts another definition in the place of the one with the same id, and leaves it paused if it is. Other times begin
   * now. @throws OptionError `SCHEDULE_UNKNOWN`, and `OPTION_INVALID` for one in code: change it there.
   */
  update(schedule: Schedule): Promise<ScheduleInfo>;
  get(id: string): Promise<ScheduleInfo | undefined>;
  /** All schedules, by id; those in code once a scheduler that has them has started. */
  list(): Promise<readonly ScheduleInfo[]>;
  /** The next nominal times, `count` at most, whether it is paused or not. @throws OptionError `SCHEDULE_UNKNOWN` */
  upcoming(id: string, count: number): Promise<readonly Date[]>;
  /** No more fires until `resume`. @throws OptionError `SCHEDULE_UNKNOWN` */
  pause(id: string): Promise<ScheduleInfo>;
  /** Fires again from now on; what was due meanwhile is not made up for. @throws OptionError `SCHEDULE_UNKNOWN` */
  resume(id: string): Promise<ScheduleInfo>;
  /** Fires now, besides its times, whether it is paused or not. @throws OptionError `SCHEDULE_UNKNOWN`; errors as of `enqueue`. */
  trigger(id: string): Promise<THandle>;
  /** Whether there was one. What it has fired goes on. One in code comes back when its scheduler starts again. */
  remove(id: string): Promise<boolean>;
}

/** What is known of a schedule. */
export interface ScheduleInfo {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** `"code"`: of a scheduler's configuration; `"client"`: made by `create`. */
  readonly source: "code" | "client";
  readonly timing: Timing;
  readonly policy: SchedulePolicy;
  readonly isPaused: boolean;
  /** Its next nominal time; `undefined` when it is paused or has none any more. */
  readonly next: Date | undefined;
  /** Its last fire: the id of the task, and its nominal time. */
  readonly last: { readonly id: string; readonly time: Date } | undefined;
  /** Why its last fire could not be enqueued at all. */
  readonly fault: { readonly time: Date; readonly code: string; readonly message: string } | undefined;
}

export interface SchedulesParts<THandle> extends Omit<TemplateParts, "routes"> {
  readonly state: StateStore | undefined;
  readonly results: ResultBackend | undefined;
  readonly routes: Routes;
  readonly toHandle: (task: CallableTask, enqueued: Enqueued) => THandle;
}

export function createSchedules<THandle>(parts: SchedulesParts<THandle>): Schedules<THandle> {
  const registry = (): ScheduleRegistry => createRegistry(requireState(parts.state));
  const define = async (schedule: Schedule): Promise<ScheduleRecord> => {
    const fire = await makeTemplate(schedule, parts);
    const fresh = newRecord(schedule, { fire, source: "client", now: Date.now() });
    if (createNextAfter(fresh.timing)(fresh.cursor) !== undefined) return fresh;
    throw new OptionError("OPTION_INVALID", `schedule ${schedule.id}: expected a time to come, got none: all is past.`);
  };
  const change = async (id: string, changed: ScheduleChange): Promise<ScheduleInfo> =>
    describe(known(id, await registry().change(id, changed)));
  return {
    create: async (schedule) => {
      const store = registry();
      const created = await store.create(schedule.id, await define(schedule));
      if (created !== undefined) return describe(created);
      throw new OptionError(
        "SCHEDULE_EXISTS",
        `There is a schedule "${schedule.id}" already. Update it, remove it, or choose another id.`,
      );
    },
    update: async (schedule) => {
      const store = registry();
      const fresh = await define(schedule);
      const stored = await store.change(schedule.id, (record) => {
        if (record.source === "client") return redefine(record, fresh);
        const text = `The schedule "${schedule.id}" is in code: change it there, or give yours another id.`;
        throw new OptionError("OPTION_INVALID", text);
      });
      return describe(known(schedule.id, stored));
    },
    get: async (id) => {
      const stored = await registry().find(id);
      return stored && describe(stored);
    },
    list: async () => (await registry().list()).map(describe),
    upcoming: async (id, count) => {
      const { record } = known(id, await registry().find(id));
      return takeTimes(record, count);
    },
    pause: (id) => change(id, (record) => (record.isPaused ? undefined : { ...record, isPaused: true })),
    resume: (id) =>
      change(id, (record) =>
        record.isPaused ? { ...record, isPaused: false, cursor: Math.max(record.cursor, Date.now()) } : undefined,
      ),
    trigger: async (id) => trigger(parts, registry(), id),
    remove: (id) => registry().remove(id),
  };
}

async function trigger<THandle>(
  { routes, results, toHandle }: SchedulesParts<THandle>,
  registry: ScheduleRegistry,
  id: string,
): Promise<THandle> {
  const { record } = known(id, await registry.find(id));
  const now = Date.now();
  const task = taskOf(record.fire);
  const outgoing = makeFire(record, {
    id: fireId(id, record.revision, `run-${createId()}`),
    time: now,
    now,
    delay: 0,
  });
  const replyTo = results?.replyTo;
  const message = { ...outgoing.message, ...(replyTo !== undefined && { replyTo }) };
  const result = await routes.of(task).publish({ ...outgoing, message });
  if (result.status === "refused" || result.status === "unknown") throw result.error;
  await registry.change(id, (current) => ({ ...current, last: { id: message.id, time: now } }));
  const { resultTtl } = record.fire;
  return toHandle(task, { id: message.id, task: task.name, queue: message.queue, enqueuedAt: now, resultTtl });
}

function describe({ id, record }: StoredSchedule): ScheduleInfo {
  const { source, timing, policy, fire, isPaused, last, fault } = record;
  return {
    id,
    task: fire.message.task,
    queue: fire.message.queue,
    source,
    timing,
    policy,
    isPaused,
    next: isPaused ? undefined : takeTimes(record, 1)[0],
    last: last && { id: last.id, time: new Date(last.time) },
    fault: fault && { ...fault, time: new Date(fault.time) },
  };
}

function takeTimes({ timing, cursor }: ScheduleRecord, count: number): readonly Date[] {
  const next = createNextAfter(timing);
  const times: Date[] = [];
  let time = next(Math.max(cursor, Date.now()));
  while (time !== undefined && times.length < count) {
    times.push(new Date(time));
    time = next(time);
  }
  return times;
}

function known(id: string, stored: StoredSchedule | undefined): StoredSchedule {
  if (stored === undefined) throw unknownSchedule(id);
  return stored;
}

function requireState(state: StateStore | undefined): StateStore {
  if (state !== undefined) return state;
  throw new ConfigurationError(
    "STATE_REQUIRED",
    "Schedules need a state store. Set `state`, or a broker or result backend that offers one.",
  );
}
