import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./errors.ts";
import { hashSegment, keySegment } from "./state-segment.ts";
import type { StateKey } from "./state-store.ts";
import { decodeValue, encodeValue } from "./state-value.ts";

/** Of tasks with the same key, one is there at a time: an enqueue while it is adds no other. */
export interface UniqueOptions<TInput = unknown> {
  /**
   * What makes two inputs the same: `({ userId }) => userId`. It runs where the task is enqueued, on the input as given.
   * Default: all of the input, as it is serialized.
   */
  readonly key?: (input: TInput) => string;
  /**
   * Until when the key is taken: until the handler `"started"`, until the task has `"finished"` (default), or for a
   * `"window"` of time, `ttl`, whatever becomes of the task.
   */
  readonly until?: "started" | "finished" | "window";
  /**
   * For how long the key is taken at most, should nothing give it back: longer than the task's delays, waits and retries
   * together. Default `"1d"`; to be given for a window.
   */
  readonly ttl?: Duration;
  /** What an enqueue does while the key is taken: gives the handle of the first (default), or throws `TASK_NOT_UNIQUE`. */
  readonly onConflict?: "return" | "throw";
}

/** The same with every default filled in; `ttl` in milliseconds. */
export interface ResolvedUnique {
  readonly key: ((input: unknown) => string) | undefined;
  readonly until: "started" | "finished" | "window";
  readonly ttl: number;
  readonly onConflict: "return" | "throw";
}

const defaultTtl = 86_400_000;

/** @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`. */
export function resolveUnique(unique: UniqueOptions<never> | undefined, subject: string): ResolvedUnique | undefined {
  if (unique === undefined) return undefined;
  const { key, until = "finished", onConflict = "return" } = unique;
  if (key !== undefined && typeof key !== "function")
    throw invalid(`${subject}, unique.key`, "a function of the input that returns a string", key);
  if (until !== "started" && until !== "finished" && until !== "window")
    throw invalid(`${subject}, unique.until`, '"started", "finished" or "window"', until);
  if (onConflict !== "return" && onConflict !== "throw")
    throw invalid(`${subject}, unique.onConflict`, '"return" or "throw"', onConflict);
  if (until === "window" && unique.ttl === undefined)
    throw invalid(`${subject}, unique.ttl`, "how long the window is", undefined);
  const ttl = unique.ttl === undefined ? defaultTtl : parseDuration(unique.ttl, `${subject}, unique.ttl`);
  if (ttl < 1) throw invalid(`${subject}, unique.ttl`, "at least 1 ms", unique.ttl);
  return { key: key as ResolvedUnique["key"], until, ttl, onConflict };
}

/** A key of the user's as a segment of a key in the state store; `undefined`: all of the input. */
export function uniqueSegment(key: string | undefined, body: Uint8Array): string {
  return key === undefined ? hashSegment(body) : keySegment(key);
}

/** Where the state store says which task has a key. */
export function uniqueKey(task: string, segment: string): StateKey {
  return ["unique", task, segment];
}

/** Which task has a key. */
export interface UniqueRecord {
  readonly id: string;
  readonly queue: string;
  /** When it was enqueued, in wall-clock epoch milliseconds. */
  readonly at: number;
}

export function encodeUniqueRecord(record: UniqueRecord): Uint8Array {
  return encodeValue(record);
}

export function decodeUniqueRecord(bytes: Uint8Array): UniqueRecord {
  return decodeValue(bytes);
}

function invalid(option: string, expected: string, found: unknown): OptionError {
  return new OptionError("OPTION_INVALID", `${option}: expected ${expected}, got ${JSON.stringify(found)}.`);
}
