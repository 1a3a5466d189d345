import type { StateEntry, StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/** A live worker, as it said last in the state store. */
export interface WorkerInfo {
  readonly name: string;
  readonly host: string;
  /** Of the process that takes the tasks. */
  readonly pid: number;
  readonly state: "running" | "stopping";
  /** Whether it has its broker. */
  readonly isConnected: boolean;
  /** Wall-clock epoch milliseconds, by the worker's clock. */
  readonly startedAt: number;
  /** When it said this. */
  readonly at: number;
  /** Those it works on, 200 at most. */
  readonly queues: readonly WorkerQueue[];
  /** Handlers that run. */
  readonly running: number;
  /** The tasks that have run for longest, 20 at most. */
  readonly tasks: readonly RunningTask[];
  /** Processes that wanted to run on its machine, on average over the last minute; 0 on Windows. */
  readonly load: number;
  readonly processors: number;
  /** Bytes that its processes hold. */
  readonly memory: number;
  /** Milliseconds by which the event loop of its handlers was late at most, since it spoke before. */
  readonly eventLoopDelay: number;
}

export interface WorkerQueue {
  readonly queue: string;
  readonly concurrency: number;
  readonly running: number;
  /** Deliveries that wait for a free slot. */
  readonly buffered: number;
  readonly isPaused: boolean;
  /** Executions that have ended since the worker started, and those of them that failed. */
  readonly executed: number;
  readonly failed: number;
  /** Executions that ended each second since it spoke before, and those of them that failed. */
  readonly perSecond: number;
  readonly failedPerSecond: number;
}

export interface RunningTask {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly attempt: number;
  /** Wall-clock epoch milliseconds. */
  readonly startedAt: number;
}

export const maxPresentQueues = 200;
export const maxPresentTasks = 20;

/** Under which the state store says which workers live. */
export const presencePrefix: StateKey = ["workers"];

export function encodePresence(info: WorkerInfo): Uint8Array {
  return encodeValue(info);
}

export function decodePresence({ value }: StateEntry): WorkerInfo {
  return decodeValue(value);
}
