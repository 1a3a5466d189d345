import {
  ClosedError,
  countedLifecycle,
  type StateChange,
  type StateDelete,
  type StateEntry,
  type StateKey,
  type StatePage,
  type StatePut,
  type StatePutResult,
  type StateStore,
} from "@taskferry/core";
import { Connection } from "../connection.ts";
import { allInLanes } from "../in-lanes.ts";
import type { RedisConnectionOptions } from "../options.ts";
import type { ScriptCall } from "../script.ts";
import { checkSize, type Found, toEntry } from "./entry.ts";
import { counterKey, layoutOf, segmentsKey, setKey } from "./layout.ts";
import { nameOf } from "./names.ts";
import { EntryPages, type PageOptions } from "./pages.ts";
import { add, get, increment, list, members, put, remove, take } from "./scripts.ts";
import { StateWatches } from "./watches.ts";

/**
 * A state store on Redis: a hash for each entry, an index for each first segment, changes through pub/sub, server time.
 * Redis 6.2 or later, Sentinel and Cluster.
 */
export function redisState(options: RedisConnectionOptions = {}): StateStore {
  return new RedisState(options);
}

/** Entries read by one call at most: each may be 64 KiB. */
const largestBatch = 100;

class RedisState implements StateStore {
  readonly name = "redis-state";
  readonly contract = 1;
  readonly #namespace: string;
  readonly #commands: Connection;
  readonly #pages: EntryPages;
  readonly #watches: StateWatches;
  readonly #segments = new Set<string>();
  readonly #lifecycle = countedLifecycle({ open: () => this.#commands.open(), shut: () => this.#shut() });

  constructor(options: RedisConnectionOptions) {
    this.#namespace = options.namespace ?? "taskferry";
    this.#commands = new Connection(options, {
      role: "commands",
      scripts: [put, remove, get, list, increment, add, take, members],
    });
    this.#pages = new EntryPages(this.#commands, this.#namespace);
    this.#watches = new StateWatches({
      options,
      namespace: this.#namespace,
      list: (prefix, page) => this.list(prefix, page),
      revisions: (segment) => this.#pages.revisions(segment),
    });
  }

  connect(): Promise<void> {
    return this.#lifecycle.connect();
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async get(keys: readonly StateKey[]): Promise<readonly (StateEntry | undefined)[]> {
    const entries: (StateEntry | undefined)[] = keys.map(() => undefined);
    await allInLanes(inBatches(keys, this.#commands.isCluster), async (indexes) => {
      const found = await this.#commands.run<readonly Found[]>(get, {
        keys: indexes.map((index) => this.#entryKey(keys[index] as StateKey)),
        args: [],
      });
      indexes.forEach((index, position) => {
        entries[index] = toEntry(keys[index] as StateKey, found[position] as Found);
      });
    });
    return entries;
  }

  async put(entries: readonly StatePut[]): Promise<readonly StatePutResult[]> {
    for (const { key, value } of entries) checkSize(key, value);
    return Promise.all(entries.map((entry) => this.#putOne(entry)));
  }

  async delete(entries: readonly StateDelete[]): Promise<readonly boolean[]> {
    return Promise.all(entries.map((entry) => this.#deleteOne(entry)));
  }

  list(prefix: StateKey, options: PageOptions): Promise<StatePage> {
    return this.#pages.list(prefix, options);
  }

  watch(prefix: StateKey, signal: AbortSignal): AsyncIterable<StateChange> {
    return this.#watches.watch(prefix, signal);
  }

  async increment(
    key: StateKey,
    by: number,
    { ttl, ceiling }: { readonly ttl: number; readonly ceiling?: number },
  ): Promise<{ readonly value: number; readonly added: boolean }> {
    const [value, added] = await this.#commands.runOnce<readonly [number, number]>(increment, {
      keys: [counterKey(this.#namespace, key)],
      args: [by, atLeastOne(ttl), ceiling ?? -1],
    });
    return { value, added: added === 1 };
  }

  async add(
    set: StateKey,
    names: readonly string[],
    { ttl, max }: { readonly ttl: number; readonly max?: number },
  ): Promise<{ readonly added: readonly string[]; readonly size: number }> {
    const [size, added] = await this.#commands.runOnce<readonly [number, readonly Buffer[]]>(add, {
      keys: [setKey(this.#namespace, set)],
      args: [atLeastOne(ttl), max ?? -1, ...names],
    });
    return { added: added.map(String), size };
  }

  async remove(set: StateKey, names: readonly string[]): Promise<{ readonly removed: number; readonly size: number }> {
    const [removed, size] = await this.#commands.runOnce<readonly [number, number]>(take, {
      keys: [setKey(this.#namespace, set)],
      args: names,
    });
    return { removed, size };
  }

  async members(set: StateKey): Promise<readonly string[]> {
    const call = { keys: [setKey(this.#namespace, set)], args: [] };
    return (await this.#commands.run<readonly Buffer[]>(members, call)).map(String);
  }

  async #putOne({ key, value, ttl, expect }: StatePut): Promise<StatePutResult> {
    const name = nameOf(key);
    await this.#register(key);
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    const expected = expect === undefined ? "" : expect === "absent" ? expect : expect.revision;
    const call: ScriptCall = {
      keys: this.#keysOf(key),
      args: [name, bytes, ttl === undefined ? 0 : atLeastOne(ttl), expected, this.#channelOf(key)],
    };
    // A condition is no longer true when it was met once.
    const [isWritten, ...rest] = await (expect === undefined
      ? this.#commands.run<readonly [number, ...unknown[]]>(put, call)
      : this.#commands.runOnce<readonly [number, ...unknown[]]>(put, call));
    if (isWritten === 1) return { status: "written", revision: String(rest[0]) };
    return { status: "conflict", current: toEntry(key, rest as unknown as Found) };
  }

  async #deleteOne({ key, expect }: StateDelete): Promise<boolean> {
    const removed = await this.#commands.runOnce<number>(remove, {
      keys: this.#keysOf(key),
      args: [nameOf(key), expect?.revision ?? "", this.#channelOf(key)],
    });
    return removed === 1;
  }

  /** Entry, index and revisions. */
  #keysOf(key: StateKey): readonly string[] {
    const { index, revisions } = layoutOf(this.#namespace, key[0] ?? "");
    return [this.#entryKey(key), index, revisions];
  }

  #entryKey(key: StateKey): string {
    return layoutOf(this.#namespace, key[0] ?? "").entryPrefix + nameOf(key);
  }

  #channelOf(key: StateKey): string {
    return layoutOf(this.#namespace, key[0] ?? "").channel;
  }

  async #register([segment = ""]: StateKey): Promise<void> {
    if (this.#segments.has(segment)) return;
    await this.#commands.call((client) => client.sadd(segmentsKey(this.#namespace), segment));
    this.#segments.add(segment);
  }

  async #shut(): Promise<void> {
    this.#watches.close(new ClosedError("The state store redis-state"));
    this.#segments.clear();
    this.#commands.close();
  }
}

/** Indexes of keys that one call may read: any on a single server, those of one first segment in a cluster. */
function inBatches(keys: readonly StateKey[], isCluster: boolean): readonly (readonly number[])[] {
  const open = new Map<string, number[]>();
  const all: number[][] = [];
  keys.forEach(([segment = ""], index) => {
    const group = isCluster ? segment : "";
    let batch = open.get(group);
    if (batch === undefined || batch.length === largestBatch) {
      batch = [];
      open.set(group, batch);
      all.push(batch);
    }
    batch.push(index);
  });
  return all;
}

function atLeastOne(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds));
}
