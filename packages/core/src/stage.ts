import type { StateEntry, StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/** How far a tracked task is that has not ended. */
export interface TaskStage {
  /**
   * `queued`: it waits for a worker, its delay included. `running`: its handler runs. `retrying`: it ended without an
   * outcome and waits for `dueAt`.
   */
  readonly name: "queued" | "running" | "retrying";
  /** Since when, in wall-clock epoch milliseconds; of `queued`: of its enqueue, absent where its id does not tell. */
  readonly at?: number;
  /** Failures before; absent of `queued`. */
  readonly attempt?: number;
  /** The worker it runs in, or ran in last. */
  readonly worker?: string;
  /** When it may start again. */
  readonly dueAt?: number;
}

/** Where the state store says how far a task is. Nothing stands there of one that is queued. */
export function stageKey(id: string): StateKey {
  return ["stages", id];
}

export function encodeStage(stage: TaskStage): Uint8Array {
  return encodeValue(stage);
}

export function decodeStage({ value }: StateEntry): TaskStage {
  return decodeValue(value);
}
