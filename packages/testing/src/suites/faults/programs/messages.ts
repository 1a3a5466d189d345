import type { Outcome, WorkerEvent } from "@taskferry/core";
import type { Execution } from "./tasks.ts";

/** What a worker tells the test. */
export type WorkerMessage =
  | { readonly type: "ready"; readonly historyPath: string }
  | { readonly type: "executed"; readonly id: string }
  | { readonly type: "event"; readonly event: WorkerEvent }
  | StartFailure;

/** What a producer tells the test. */
export type ProducerMessage =
  | { readonly type: "ready" }
  | EnqueueReport
  | LoadReport
  | { readonly type: "waiting" }
  | { readonly type: "outcome"; readonly outcome: Outcome<Execution> }
  | StartFailure;

/** What a scheduler tells the test. */
export type SchedulerMessage = { readonly type: "ready" } | StartFailure;

/** A program could not start, and ends with exit code 1. */
export interface StartFailure {
  readonly type: "failed";
  readonly code: string | undefined;
  readonly message: string;
}

/** A load has been enqueued, or given up. */
export interface EnqueueReport {
  readonly type: "enqueued";
  readonly acknowledged: number;
  /** The codes of all errors, in order. */
  readonly rejections: readonly string[];
  /** Milliseconds of the longest single call. */
  readonly longest: number;
}

/** A load has come to its end. */
export interface LoadReport {
  readonly type: "finished";
  readonly outcomes: readonly Outcome<Execution>[];
  /** The ids of which there is no trace. */
  readonly missing: readonly string[];
}

/** What the test tells a producer. */
export type ProducerCommand =
  /** Enqueues, says `enqueued`, waits for the outcomes and says `finished`. */
  | ({ readonly type: "enqueue" } & Load)
  /** Says `waiting`, and `outcome` once there is one. */
  | { readonly type: "await"; readonly id: string }
  | { readonly type: "end" };

/** Tasks to enqueue, with the ids `<prefix>-0` and so on. */
export interface Load {
  readonly prefix: string;
  readonly count: number;
  /** How many calls are under way at once. */
  readonly inFlight: number;
  /** How long the tasks take, in milliseconds: spread over the range, the same each time. */
  readonly milliseconds: readonly [from: number, to: number];
  /** Milliseconds between one call and the next, for load that lasts. */
  readonly pause: number;
  /** How long the tasks are delayed, in milliseconds: spread over the range, the same each time. Absent: not at all. */
  readonly delays?: readonly [from: number, to: number];
  /** Whether a call that failed for want of the broker is made again with the same id, until it succeeds. */
  readonly isStubborn: boolean;
}

/** Evenly over the range, in an order that looks like none. */
export function spread([from, to]: readonly [from: number, to: number], index: number): number {
  return Math.round(from) + ((index * 7_919) % (Math.round(to) - Math.round(from) + 1));
}
