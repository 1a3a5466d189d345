import type { Connectable } from "./lifecycle.ts";

/**
 * The contract of a state store, version 1: small shared facts with atomic updates, such as cancellations, claims,
 * limits, schedules, groups and presence. `testStateStore` of @taskferry/testing holds an implementation to every
 * sentence below.
 *
 * A key is a list of segments, any non-empty strings; the store escapes them, so that no two keys meet. Values are bytes
 * up to {@link maxStateValueBytes}. Times to live are milliseconds; an expired entry reads as absent at once, whatever
 * the server does later. Calls are batches and answer per item, in order; one item's conflict does not touch the others.
 * A batch is not a transaction. All calls but `watch` reject with `BROKER_UNAVAILABLE` when the server is out of reach.
 */
export interface StateStore extends Connectable {
  readonly name: string;
  readonly contract: 1;

  get(keys: readonly StateKey[]): Promise<readonly (StateEntry | undefined)[]>;

  /**
   * Writes entries. `expect` makes a write conditional: `"absent"`, or the revision that must still stand. A failed
   * condition answers `conflict` with what stands instead. Every write gets a new revision; revisions never recur for a
   * key, not even after delete or expiry, so that an old one cannot match by chance.
   *
   * @throws OptionError `STATE_VALUE_TOO_LARGE` before anything is written.
   */
  put(entries: readonly StatePut[]): Promise<readonly StatePutResult[]>;

  /** Deletes entries, each only at its `expect`ed revision where given. Answers whether it was there and is gone. */
  delete(entries: readonly StateDelete[]): Promise<readonly boolean[]>;

  /** A page of the entries whose key begins with all segments of `prefix`, ordered by key. `cursor` leads to the next page. */
  list(prefix: StateKey, options: { readonly limit: number; readonly cursor?: string }): Promise<StatePage>;

  /**
   * A snapshot of the entries under `prefix`, then every change, in order for each key. After a gap (a lost connection)
   * it yields a snapshot again, which replaces all that came before. Where that takes time to read, `gap` comes first: what
   * has changed is unknown until the snapshot. An expiry is not announced: entries say when they expire. A slow reader
   * loses no change but may see only the last of several to one key. Ends when `signal` aborts.
   */
  watch(prefix: StateKey, signal: AbortSignal): AsyncIterable<StateChange>;

  /**
   * Adds `by` to a counter unless it would pass `ceiling`; for rate windows. The counter begins at 0 and lives for `ttl`
   * from its first increment. Answers its value and whether `by` was added.
   */
  increment(
    key: StateKey,
    by: number,
    options: { readonly ttl: number; readonly ceiling?: number },
  ): Promise<{ readonly value: number; readonly added: boolean }>;

  /**
   * Adds members to a set, each to expire by itself after `ttl`; a member that is there is renewed and not counted as
   * added. With `max`, members beyond that size are not added. Answers those added and the size after.
   */
  add(
    set: StateKey,
    members: readonly string[],
    options: { readonly ttl: number; readonly max?: number },
  ): Promise<{ readonly added: readonly string[]; readonly size: number }>;

  /** Removes members from a set. Answers how many were there, and the size after. */
  remove(set: StateKey, members: readonly string[]): Promise<{ readonly removed: number; readonly size: number }>;

  /** The members of a set that have not expired, in no order. */
  members(set: StateKey): Promise<readonly string[]>;
}

/** Counters, sets and entries are three name spaces: the same key in each is three things. */
export type StateKey = readonly string[];

/** Bytes of one value at most. */
export const maxStateValueBytes = 64 * 1024;

export interface StateEntry {
  readonly key: StateKey;
  readonly value: Uint8Array;
  /** Opaque; equal only to itself. */
  readonly revision: string;
  /** Wall-clock epoch milliseconds; absent for what stays. */
  readonly expiresAt?: number;
}

export interface StatePut {
  readonly key: StateKey;
  readonly value: Uint8Array;
  readonly ttl?: number;
  readonly expect?: "absent" | { readonly revision: string };
}

export type StatePutResult =
  | { readonly status: "written"; readonly revision: string }
  | { readonly status: "conflict"; readonly current: StateEntry | undefined };

export interface StateDelete {
  readonly key: StateKey;
  readonly expect?: { readonly revision: string };
}

export interface StatePage {
  readonly entries: readonly StateEntry[];
  readonly cursor?: string;
}

export type StateChange =
  | { readonly type: "snapshot"; readonly entries: readonly StateEntry[] }
  | { readonly type: "gap" }
  | { readonly type: "put"; readonly entry: StateEntry }
  | { readonly type: "delete"; readonly key: StateKey };
