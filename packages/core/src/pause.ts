import type { StateEntry, StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/** A queue of which no worker takes anything. */
export interface PausedQueue {
  readonly queue: string;
  /** Since when, in wall-clock epoch milliseconds. */
  readonly at: number;
}

/** Under which the state store says which queues are paused. */
export const pausePrefix: StateKey = ["paused"];

export function pauseKey(queue: string): StateKey {
  return [...pausePrefix, queue];
}

export function encodePause(at: number): Uint8Array {
  return encodeValue({ at });
}

export function decodePause({ key, value }: StateEntry): PausedQueue {
  const { at } = decodeValue<PausedQueue>(value);
  return { queue: key.at(-1) ?? "", at };
}
