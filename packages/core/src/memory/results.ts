import { ClosedError } from "../errors.ts";
import { countedLifecycle } from "../lifecycle.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { ResultBackend, WaitOptions } from "../result-backend.ts";
import type { StateStore } from "../state-store.ts";
import { TurnoverMap } from "../turnover.ts";
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

interface Waiter {
  readonly run: number;
  readonly resolve: (outcome: StoredOutcome) => void;
  readonly reject: (reason: unknown) => void;
}

/** A result backend in the memory of this process. One value is one server; outcomes outlive `close()`. */
export function memoryResults(): MemoryResults {
  const kept = new Map<string, Kept>();
  const expiries = new Expiries<Kept>(({ outcome }) => kept.delete(outcome.id));
  const waiters = createWaiters();
  let state: StateStore | undefined;

  const lifecycle = countedLifecycle({ open: async () => undefined, shut: async () => waiters.end() });
  const begin = (): void => {
    if (!lifecycle.isOpen()) throw new ClosedError("The memory result backend");
    expiries.sweep();
  };
  const storeOne = (outcome: StoredOutcome): StoredOutcome => {
    const standing = kept.get(outcome.id);
    if (standing !== undefined && standing.outcome.run >= outcome.run) return copyOutcome(standing.outcome);
    if (standing !== undefined) expiries.remove(standing);
    const winner: Kept = { outcome: copyOutcome(outcome), due: 0, heapIndex: -1 };
    kept.set(outcome.id, winner);
    expiries.set(winner, outcome.ttl);
    waiters.tell(winner.outcome);
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
      return waiters.add(id, options);
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

function createWaiters() {
  const byId = new TurnoverMap<string, Set<Waiter>>();
  const keepAlive = createKeepAlive();

  const add = (id: string, { signal, run = 0 }: WaitOptions): Promise<StoredOutcome> =>
    new Promise((resolve, reject) => {
      const leave = (): void => {
        signal.removeEventListener("abort", onAbort);
        const others = byId.get(id);
        others?.delete(waiter);
        if (others?.size === 0) byId.delete(id);
        keepAlive.end();
      };
      const onAbort = (): void => waiter.reject(signal.reason);
      const waiter: Waiter = {
        run,
        resolve: (outcome) => {
          leave();
          resolve(outcome);
        },
        reject: (reason) => {
          leave();
          reject(reason);
        },
      };
      signal.addEventListener("abort", onAbort);
      keepAlive.begin();
      byId.set(id, (byId.get(id) ?? new Set()).add(waiter));
    });
  const tell = (outcome: StoredOutcome): void => {
    for (const waiter of byId.get(outcome.id) ?? []) {
      if (waiter.run <= outcome.run) waiter.resolve(copyOutcome(outcome));
    }
  };
  const end = (): void => {
    for (const waiter of [...byId.values()].flatMap((set) => [...set])) {
      waiter.reject(new ClosedError("The memory result backend"));
    }
  };
  return { add, tell, end };
}

function copyOutcome(outcome: StoredOutcome): StoredOutcome {
  const { result, error } = outcome;
  return {
    ...outcome,
    ...(result !== undefined && { result: { ...result, body: Buffer.from(result.body) } }),
    ...(error !== undefined && { error: structuredClone(error) }),
  };
}
