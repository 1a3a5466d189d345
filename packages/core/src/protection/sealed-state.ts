import { isTaskferryError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { StateChange, StateEntry, StatePut, StatePutResult, StateStore } from "../state-store.ts";
import type { Seal } from "./seal.ts";

/**
 * A state store whose entries are sealed when they are written and opened when they are read, for features that control
 * workers. An entry that cannot be trusted is as if it were not there, and is logged. Counters and sets stay as they are.
 */
export function sealedState(state: StateStore, seal: Seal, logger: Logger): StateStore {
  const open = (entry: StateEntry | undefined): StateEntry | undefined => {
    if (entry === undefined) return undefined;
    try {
      return { ...entry, value: seal.open(entry.key, entry.value) };
    } catch (error) {
      if (!isTaskferryError(error)) throw error;
      logger.error({ error, key: entry.key }, "a record in the state store cannot be trusted: it is ignored");
      return undefined;
    }
  };
  const openAll = (entries: readonly StateEntry[]): readonly StateEntry[] =>
    entries.map(open).filter((entry) => entry !== undefined);
  const settlePut = async (result: StatePutResult, entry: StatePut | undefined): Promise<StatePutResult> => {
    if (result.status === "written") return result;
    const { current } = result;
    const trusted = open(current);
    // What cannot be trusted stands in nobody's way.
    if (current === undefined || trusted !== undefined || entry?.expect !== "absent")
      return { ...result, current: trusted };
    const [again] = await state.put([{ ...entry, expect: { revision: current.revision } }]);
    return again === undefined ? result : settlePut(again, entry);
  };
  return {
    name: state.name,
    contract: state.contract,
    connect: () => state.connect(),
    close: () => state.close(),
    [Symbol.asyncDispose]: () => state.close(),
    get: async (keys) => (await state.get(keys)).map(open),
    put: async (entries) => {
      const sealed = entries.map((entry) => ({
        ...entry,
        value: seal.seal(entry.key, entry.value, entry.ttl === undefined ? 0 : Math.ceil(Date.now() + entry.ttl)),
      }));
      const results = await state.put(sealed);
      return Promise.all(results.map((result, index) => settlePut(result, sealed[index])));
    },
    delete: (entries) => state.delete(entries),
    list: async (prefix, options) => {
      const page = await state.list(prefix, options);
      return { ...page, entries: openAll(page.entries) };
    },
    watch: (prefix, signal) => openChanges(state.watch(prefix, signal), { open, openAll }),
    increment: (key, by, options) => state.increment(key, by, options),
    add: (set, members, options) => state.add(set, members, options),
    remove: (set, members) => state.remove(set, members),
    members: (set) => state.members(set),
  };
}

interface Openers {
  readonly open: (entry: StateEntry) => StateEntry | undefined;
  readonly openAll: (entries: readonly StateEntry[]) => readonly StateEntry[];
}

async function* openChanges(
  changes: AsyncIterable<StateChange>,
  { open, openAll }: Openers,
): AsyncGenerator<StateChange> {
  for await (const change of changes) {
    if (change.type === "delete" || change.type === "gap") yield change;
    else if (change.type === "snapshot") yield { type: "snapshot", entries: openAll(change.entries) };
    else {
      const entry = open(change.entry);
      // What stood there before is there no longer, so it must not go on counting.
      yield entry === undefined ? { type: "delete", key: change.entry.key } : { type: "put", entry };
    }
  }
}
