import { ClosedError } from "../errors.ts";
import { countedLifecycle } from "../lifecycle.ts";
import type { StoredOutcome } from "../outcome.ts";
import { OutcomeWaits } from "../outcome-waits.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { StateStore } from "../state-store.ts";
import { Expiries } from "./expiries.ts";
import type { HeapItem } from "./heap.ts";
import { createKeepAlive } from "./keep-alive.ts";
import { memoryState } from "./state.ts";

/** A result backend in the memory of this process, with its one state store. */
export interface MemoryResults extends ResultBackend {
  readonly state: () => StateStore;
}

interface Kept extends HeapItem {
  readonly outcome: StoredOutcome;
}

/** A result backend in the memory of this process. One value is one server; outcomes outlive `close()`. */
export function memoryResults(): MemoryResults {
  const kept = new Map<string, Kept>();
  const expiries = new Expiries<Kept>(({ outcome }) => kept.delete(outcome.id));
  const keepAlive = createKeepAlive();
  const waits = new OutcomeWaits(() => keepAlive.end());
  let state: StateStore | undefined;

  const lifecycle = countedLifecycle({ open: async () => undefined, shut: async () => waits.fail(closed()) });
  const begin = (): void => {
    if (!lifecycle.isOpen()) throw closed();
    expiries.sweep();
  };
  const storeOne = (outcome: StoredOutcome): StoredOutcome => {
    const standing = kept.get(outcome.id);
    if (standing !== undefined && standing.outcome.run >= outcome.run) return copyOutcome(standing.outcome);
    if (standing !== undefined) expiries.remove(standing);
    const winner: Kept = { outcome: copyOutcome(outcome), due: 0, heapIndex: -1 };
    kept.set(outcome.id, winner);
    expiries.set(winner, outcome.ttl);
    waits.offer(outcome.id, winner.outcome);
    return outcome;
  };
  const deleteOne = (id: string): number => {
    const standing = kept.get(id);
    if (standing === undefined) return 0;
    expiries.remove(standing);
    kept.delete(id);
    return 1;
  };

  return {
    name: "memory",
    contract: 1,
    capabilities: { durable: false, shared: false, maxOutcomeBytes: Number.MAX_SAFE_INTEGER },
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: lifecycle.close,
    store: async (outcomes) => {
      begin();
      return outcomes.map(storeOne);
    },
    get: async (ids) => {
      begin();
      return ids.map((id) => {
        const standing = kept.get(id);
        return standing && copyOutcome(standing.outcome);
      });
    },
    wait: async (id, options) => {
      begin();
      options.signal.throwIfAborted();
      const standing = kept.get(id);
      if (standing !== undefined && standing.outcome.run >= (options.run ?? 0)) return copyOutcome(standing.outcome);
      if (!waits.has(id)) keepAlive.begin();
      return copyOutcome(await waits.add(id, options));
    },
    delete: async (ids) => {
      begin();
      return ids.reduce((count, id) => count + deleteOne(id), 0);
    },
    state: () => {
      state ??= memoryState();
      return state;
    },
  };
}

function closed(): ClosedError {
  return new ClosedError("The memory result backend");
}

function copyOutcome(outcome: StoredOutcome): StoredOutcome {
  const { result, error } = outcome;
  return {
    ...outcome,
    ...(result !== undefined && { result: { ...result, body: Buffer.from(result.body) } }),
    ...(error !== undefined && { error: structuredClone(error) }),
  };
}
