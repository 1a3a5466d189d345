import type { StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/** How far a running task is, as its handler said last. */
export interface Progress {
  readonly value: number;
  readonly note?: string;
  /** Wall-clock epoch milliseconds, by the worker's clock. */
  readonly at: number;
}

/** Where the progress of a task stands in the state store. */
export function progressKey(id: string): StateKey {
  return ["progress", id];
}

/** How long progress is kept after it was written, in milliseconds. */
export const progressTtl = 3_600_000;

export function encodeProgress(progress: Progress): Uint8Array {
  return encodeValue(progress);
}

export function decodeProgress(bytes: Uint8Array): Progress {
  return decodeValue(bytes);
}
