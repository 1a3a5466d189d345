import type { PublishResult } from "../broker.ts";
import type { Clock } from "../clock.ts";
import type { Routes } from "../enqueue/routes.ts";
import { ClosedError, type TaskferryError } from "../errors.ts";
import type { SchedulerEvent } from "../events.ts";
import { findDue } from "../schedules/due.ts";
import { makeFire, spreadOf, taskOf } from "../schedules/make.ts";
import { claimKey, fireId, type ScheduleRecord } from "../schedules/record.ts";
import type { ScheduleRegistry, StoredSchedule } from "../schedules/registry.ts";
import type { StateStore } from "../state-store.ts";
import type { Mirrored, ScheduleMirror } from "./schedule-mirror.ts";

export interface FireMakerParts {
  readonly scheduler: string;
  readonly state: StateStore;
  readonly registry: ScheduleRegistry;
  readonly mirror: ScheduleMirror;
  readonly routes: Pick<Routes, "of">;
  readonly clock: Clock;
  /** Milliseconds that one publish may take: a claim outlives it. */
  readonly publishTimeout: number;
  readonly isWanted: () => boolean;
  readonly tell: (event: SchedulerEvent) => void;
}

/** `done`: nothing is owed any more. `later`: somebody else is at it, or may be. */
export type Made = "done" | "later";

/** Milliseconds of lateness from which on the mirror is not believed: the process may have stood still. */
const belief = 500;
const claimReserve = 1_000;

/** Makes what schedules owe: enqueues a fire, then moves the cursor by compare-and-set. */
export class FireMaker {
  readonly #parts: FireMakerParts;

  constructor(parts: FireMakerParts) {
    this.#parts = parts;
  }

  async make(mirrored: Mirrored): Promise<Made> {
    const { clock, mirror, tell, isWanted } = this.#parts;
    const now = clock.now();
    const isLate = now - (mirrored.due ?? now) > belief;
    const current = isLate ? await this.#look(mirrored.stored.id) : mirrored;
    if (current === undefined || current.stored.record.isPaused) return "done";
    const { next } = current;
    let { stored } = current;
    const { times, missedSince, reached } = findDue(stored.record, next, now);
    let untold = missedSince;
    const tellMissed = (): void => {
      if (untold !== undefined) tell({ type: "schedule.missed", at: now, schedule: stored.id, since: untold });
      untold = undefined;
    };
    if (times.length === 0 && reached > stored.record.cursor) await this.#advance(stored, { cursor: reached });
    for (const time of times) {
      if (!isWanted()) throw new ClosedError("The scheduler");
      const change = await this.#makeOne(stored.record, stored.id, time);
      if (change === "elsewhere") return "later";
      const standing = await this.#advance(stored, { ...change, cursor: time });
      if (standing === undefined) return "done";
      mirror.learn(standing);
      // Another was faster, or the schedule was changed meanwhile: from what stands now, anew.
      if (standing.record.revision !== stored.record.revision || standing.record.cursor !== time) return "done";
      stored = standing;
      // At once: another may be faster with the next, and knows only of what is missed from there.
      tellMissed();
    }
    tellMissed();
    return "done";
  }

  async #look(id: string): Promise<Mirrored | undefined> {
    const { registry, mirror } = this.#parts;
    const stored = await registry.find(id);
    if (stored !== undefined) return mirror.learn(stored);
    mirror.forget(id);
    return undefined;
  }

  async #advance(stored: StoredSchedule, change: Partial<ScheduleRecord>): Promise<StoredSchedule | undefined> {
    const standing = await this.#parts.registry.advance(stored, { ...stored.record, ...change });
    if (standing === undefined) this.#parts.mirror.forget(stored.id);
    else this.#parts.mirror.learn(standing);
    return standing;
  }

  async #makeOne(
    record: ScheduleRecord,
    schedule: string,
    time: number,
  ): Promise<Pick<ScheduleRecord, "last" | "fault"> | "elsewhere"> {
    const { routes, clock, tell } = this.#parts;
    const id = fireId(schedule, record.revision, time);
    const { broker, publish } = routes.of(taskOf(record.fire));
    const { dedupe, dedupeWindow } = broker.capabilities;
    if (dedupe === "refused" || dedupeWindow < record.policy.grace) {
      const claimed = await this.#claim(id, schedule, time);
      if (claimed !== "mine") return claimed === "made" ? {} : "elsewhere";
    }
    const now = clock.now();
    const delay = Math.max(0, Math.round(time + spreadOf(id) * record.policy.jitter) - now);
    const result = await publish(makeFire(record, { id, time, now, delay: record.policy.jitter > 0 ? delay : 0 }));
    const error = errorOf(result);
    if (error === undefined) {
      if (result.status === "accepted") tell({ type: "schedule.fired", at: now, schedule, id, time });
      return { last: { id, time } };
    }
    if (result.status === "unknown" || error.retryable) throw error;
    tell({ type: "schedule.refused", at: now, schedule, time, error });
    return { fault: { time, code: error.code, message: error.message } };
  }

  /** Where the broker recognises nothing: one claims, and looks at the cursor again, before it publishes. */
  async #claim(id: string, schedule: string, time: number): Promise<"mine" | "made" | "elsewhere"> {
    const { state, registry, scheduler, publishTimeout } = this.#parts;
    const ttl = publishTimeout + claimReserve;
    const [claim] = await state.put([{ key: claimKey(id), value: Buffer.from(scheduler), ttl, expect: "absent" }]);
    const isMine = claim?.status === "written" || Buffer.from(claim?.current?.value ?? "").toString() === scheduler;
    if (!isMine) return "elsewhere";
    const stored = await registry.find(schedule);
    return stored === undefined || stored.record.cursor >= time ? "made" : "mine";
  }
}

function errorOf(result: PublishResult): TaskferryError | undefined {
  return result.status === "refused" || result.status === "unknown" ? result.error : undefined;
}
