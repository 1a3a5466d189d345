import type { StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/**
 * The durable record of a cancellation, in the state store. Workers mirror the records and compare them with what they
 * take, run and retry; so it reaches a task wherever it is. It carries the run, so that it does not touch a replay.
 */
export interface Cancellation {
  /** Messages of this run and lower ones are cancelled. */
  readonly run: number;
  readonly reason: string;
  readonly mode: CancelMode;
  /** Milliseconds that a running handler has after its signal aborted; absent: as long as it takes. */
  readonly grace?: number;
  /** Wall-clock epoch milliseconds, by the clock of who cancelled. */
  readonly at: number;
}

/**
 * `graceful`: a running handler sees its signal abort and ends by itself; its outcome is then `cancelled`, whatever it
 * made of it. `force`: the outcome stands at once, and a handler that still runs is given up after its grace.
 */
export type CancelMode = "graceful" | "force";

/** What a worker says of a task that has been running for a heartbeat or longer. */
export interface RunningRecord {
  readonly run: number;
  readonly worker: string;
  readonly startedAt: number;
}

/** A handler has so long after a forced cancellation unless told otherwise, in milliseconds. */
export const defaultForceGrace = 5_000;

/** How long a record is kept: longer than any task is expected to wait. In milliseconds. */
export const cancellationTtl = 30 * 86_400_000;

/** How long it is kept once the task has ended, for copies of its message that may still be on their way. */
export const endedCancellationTtl = 600_000;

export const cancellationPrefix: StateKey = ["cancel"];

export function cancellationKey(id: string): StateKey {
  return [...cancellationPrefix, id];
}

export function runningKey(id: string): StateKey {
  return ["running", id];
}

/** The set of the tasks that end with this one when it is cancelled. */
export function childrenKey(id: string): StateKey {
  return ["children", id];
}

export function encodeRecord(record: Cancellation | RunningRecord): Uint8Array {
  return encodeValue(record);
}

export function decodeRecord<TRecord extends Cancellation | RunningRecord>(bytes: Uint8Array): TRecord {
  return decodeValue<TRecord>(bytes);
}
