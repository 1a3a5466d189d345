import { ClosedError, OptionError } from "../errors.ts";
import { countedLifecycle } from "../lifecycle.ts";
import {
  maxStateValueBytes,
  type StateDelete,
  type StateEntry,
  type StateKey,
  type StatePut,
  type StatePutResult,
  type StateStore,
} from "../state-store.ts";
import { Expiries } from "./expiries.ts";
import { ExpiringSets } from "./expiring-sets.ts";
import type { HeapItem } from "./heap.ts";
import { KeyTree } from "./key-tree.ts";
import { createStateWatch } from "./state-watch.ts";

interface Kept extends HeapItem {
  readonly entry: StateEntry;
}

interface Counter extends HeapItem {
  readonly name: string;
  value: number;
}

/** A state store in the memory of this process. One value is one server; what it holds outlives `close()`. */
export function memoryState(): StateStore {
  const entries = createEntries();
  const counters = createCounters();
  const sets = new ExpiringSets();
  const watch = createStateWatch();

  const lifecycle = countedLifecycle({ open: async () => undefined, shut: async () => watch.close() });
  const begin = (keys: readonly StateKey[]): void => {
    if (!lifecycle.isOpen()) throw new ClosedError("The memory state store");
    for (const key of keys) checkKey(key);
  };
  const putOne = (put: StatePut): StatePutResult => {
    const result = entries.put(put);
    if ("conflict" in result) return { status: "conflict", current: result.conflict && copyEntry(result.conflict) };
    watch.tell(put.key, () => ({ type: "put", entry: copyEntry(result.written) }));
    return { status: "written", revision: result.written.revision };
  };
  const deleteOne = (target: StateDelete): boolean => {
    const isGone = entries.delete(target);
    if (isGone) watch.tell(target.key, () => ({ type: "delete", key: [...target.key] }));
    return isGone;
  };

  return {
    name: "memory",
    contract: 1,
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: lifecycle.close,
    get: async (keys) => {
      begin(keys);
      return keys.map((key) => {
        const entry = entries.get(key);
        return entry && copyEntry(entry);
      });
    },
    put: async (puts) => {
      begin(puts.map(({ key }) => key));
      for (const put of puts) checkValue(put);
      return puts.map(putOne);
    },
    delete: async (targets) => {
      begin(targets.map(({ key }) => key));
      return targets.map(deleteOne);
    },
    list: async (prefix, { limit, cursor }) => {
      begin([]);
      const found = entries.list(
        prefix,
        limit + 1,
        cursor === undefined ? undefined : (JSON.parse(cursor) as StateKey),
      );
      const page = found.slice(0, limit).map(copyEntry);
      return found.length > limit ? { entries: page, cursor: JSON.stringify(page.at(-1)?.key) } : { entries: page };
    },
    watch: (prefix, signal) => {
      begin([]);
      const all = (): StateEntry[] => entries.list(prefix, Number.POSITIVE_INFINITY).map(copyEntry);
      return watch.watch([...prefix], all, signal);
    },
    increment: async (key, by, options) => {
      begin([key]);
      return counters.increment(key, by, options);
    },
    add: async (set, members, { ttl, max = Number.POSITIVE_INFINITY }) => {
      begin([set]);
      return sets.add(set, members, { ttl, max });
    },
    remove: async (set, members) => {
      begin([set]);
      return sets.remove(set, members);
    },
    members: async (set) => {
      begin([set]);
      return sets.names(set);
    },
  };
}

function createEntries() {
  const tree = new KeyTree<Kept>();
  const expiries = new Expiries<Kept>(({ entry }) => tree.delete(entry.key));
  let lastRevision = 0;

  const find = (key: StateKey): Kept | undefined => {
    expiries.sweep();
    return tree.get(key);
  };
  return {
    get: (key: StateKey): StateEntry | undefined => find(key)?.entry,
    put: ({
      key,
      value,
      ttl,
      expect,
    }: StatePut): { readonly written: StateEntry } | { readonly conflict: StateEntry | undefined } => {
      const standing = find(key);
      if (expect !== undefined && (expect === "absent" ? undefined : expect.revision) !== standing?.entry.revision) {
        return { conflict: standing?.entry };
      }
      lastRevision += 1;
      const base = { key: [...key], value: Buffer.from(value), revision: String(lastRevision) };
      const written: StateEntry = ttl === undefined ? base : { ...base, expiresAt: Date.now() + ttl };
      const kept: Kept = { entry: written, due: 0, heapIndex: -1 };
      if (standing !== undefined) expiries.remove(standing);
      tree.set(key, kept);
      expiries.set(kept, ttl);
      return { written };
    },
    delete: ({ key, expect }: StateDelete): boolean => {
      const standing = find(key);
      if (standing === undefined || (expect !== undefined && expect.revision !== standing.entry.revision)) return false;
      expiries.remove(standing);
      tree.delete(key);
      return true;
    },
    list: (prefix: StateKey, limit: number, after?: StateKey): StateEntry[] => {
      expiries.sweep();
      const found: StateEntry[] = [];
      for (const { entry } of tree.under(prefix, after)) {
        if (found.length >= limit) break;
        found.push(entry);
      }
      return found;
    },
  };
}

function createCounters() {
  const counters = new Map<string, Counter>();
  const expiries = new Expiries<Counter>(({ name }) => counters.delete(name));
  return {
    increment: (key: StateKey, by: number, options: { readonly ttl: number; readonly ceiling?: number }) => {
      expiries.sweep();
      const name = JSON.stringify(key);
      const standing = counters.get(name);
      const value = standing?.value ?? 0;
      if (value + by > (options.ceiling ?? Number.POSITIVE_INFINITY)) return { value, added: false };
      const counter: Counter = standing ?? { name, value: 0, due: 0, heapIndex: -1 };
      counter.value = value + by;
      counters.set(name, counter);
      if (standing === undefined) expiries.set(counter, options.ttl);
      return { value: counter.value, added: true };
    },
  };
}

function checkKey(key: StateKey): void {
  if (key.length > 0 && key.every((segment) => typeof segment === "string" && segment !== "")) return;
  throw new OptionError(
    "OPTION_INVALID",
    `Expected a key of one or more non-empty strings, got ${JSON.stringify(key)}.`,
  );
}

function checkValue({ key, value }: StatePut): void {
  if (value.length <= maxStateValueBytes) return;
  throw new OptionError(
    "STATE_VALUE_TOO_LARGE",
    `Expected a value of at most ${maxStateValueBytes} bytes for ${JSON.stringify(key)}, got ${value.length}.`,
  );
}

/** Nobody gets memory that another can change. */
function copyEntry(entry: StateEntry): StateEntry {
  return { ...entry, key: [...entry.key], value: Buffer.from(entry.value) };
}
