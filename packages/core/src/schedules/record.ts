import type { Message } from "../message.ts";
import type { SchedulePolicy } from "../schedule.ts";
import type { StateKey } from "../state-store.ts";
import { decodeValue, encodeValue } from "../state-value.ts";
import type { Timing } from "../timing/timing.ts";

/**
 * A schedule as the state store keeps it, whole: what it fires, when, and how far it has come. One record, one revision:
 * whoever changes it does so by compare-and-set, so that a fire, a pause and an update never undo each other.
 */
export interface ScheduleRecord {
  readonly v: 1;
  /** `"code"`: a scheduler has it in its configuration, and only such a scheduler fires it. */
  readonly source: "code" | "client";
  readonly timing: Timing;
  readonly policy: SchedulePolicy;
  readonly fire: FireTemplate;
  /** Counts changes of the timing, from 1: it is part of the ids of the fires. */
  readonly revision: number;
  /** The nominal time up to which all is done: made, skipped, or before the schedule's time. */
  readonly cursor: number;
  readonly isPaused: boolean;
  /** The last fire that was made. */
  readonly last?: { readonly id: string; readonly time: number };
  /** Why the last fire could not be made at all. */
  readonly fault?: { readonly time: number; readonly code: string; readonly message: string };
}

/** What each fire enqueues. */
export interface FireTemplate {
  readonly message: Omit<Message, "id" | "body" | "enqueuedAt" | "notBefore" | "expiresAt">;
  readonly body: Uint8Array;
  readonly expires?: number;
  readonly resultTtl: number;
  readonly isBroadcast: boolean;
}

export const schedulesPrefix: StateKey = ["schedules"];

export function scheduleKey(id: string): StateKey {
  return [...schedulesPrefix, id];
}

/** Who makes a fire, where the broker does not recognise it. */
export function claimKey(fireId: string): StateKey {
  return ["schedule-claims", fireId];
}

/** Who executes a fire, or that it was executed. */
export function executionKey(fireId: string): StateKey {
  return ["schedule-executions", fireId];
}

/** Which fire of a schedule executes, where they must not overlap. */
export function turnKey(id: string): StateKey {
  return ["schedule-turns", id];
}

/** The same on every replica: whoever makes this fire, it is one task. */
export function fireId(id: string, revision: number, time: number | string): string {
  return `schedule:${id}:${revision}:${time}`;
}

/** How long the record of a schedule that never fires again is kept. */
export const endedTtl = 7 * 86_400_000;
/** How long that of one in code is kept after the last scheduler that has it. */
export const codeTtl = 30 * 86_400_000;

/** Headers of a fire: for its handler, and for the worker's gate. */
export const scheduleHeader = "schedule";
export const timeHeader = "schedule-time";
export const overlapHeader = "schedule-overlap";

export function encodeSchedule(record: ScheduleRecord): Uint8Array {
  const { fire, ...rest } = record;
  const body = Buffer.from(fire.body.buffer, fire.body.byteOffset, fire.body.byteLength).toString("base64");
  return encodeValue({ ...rest, fire: { ...fire, body } });
}

export function decodeSchedule(bytes: Uint8Array): ScheduleRecord {
  const read = decodeValue<ScheduleRecord & { readonly fire: { readonly body: string } }>(bytes);
  return { ...read, fire: { ...read.fire, body: Buffer.from(read.fire.body, "base64") } };
}
