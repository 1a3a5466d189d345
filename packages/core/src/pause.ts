import type { StateEntry, StateKey } from "./state-store.ts";

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
  return Buffer.from(JSON.stringify({ at }));
}

export function decodePause({ key, value }: StateEntry): PausedQueue {
  const { at } = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as PausedQueue;
  return { queue: key.at(-1) ?? "", at };
}
