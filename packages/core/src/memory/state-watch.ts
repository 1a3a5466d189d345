import { ClosedError } from "../errors.ts";
import type { StateChange, StateEntry, StateKey } from "../state-store.ts";
import { createKeepAlive } from "./keep-alive.ts";

type Change = Extract<StateChange, { readonly type: "put" | "delete" }>;

interface Watcher {
  readonly prefix: StateKey;
  /** What it has not been told yet: the last change to each key. */
  readonly pending: Map<string, Change>;
  wake: () => void;
  isClosed: boolean;
}

/** Those who watch a state store. */
export interface StateWatch {
  watch(prefix: StateKey, snapshot: () => readonly StateEntry[], signal: AbortSignal): AsyncGenerator<StateChange>;
  /** @param make - called for each who watches: no two share what they get. */
  tell(key: StateKey, make: () => Change): void;
  close(): void;
}

export function createStateWatch(): StateWatch {
  const watchers = new Set<Watcher>();
  const keepAlive = createKeepAlive();

  const nextChange = async (watcher: Watcher, signal: AbortSignal): Promise<void> => {
    if (watcher.pending.size > 0 || watcher.isClosed || signal.aborted) return;
    keepAlive.begin();
    await new Promise<void>((resolve) => {
      watcher.wake = resolve;
      signal.addEventListener("abort", watcher.wake);
    });
    signal.removeEventListener("abort", watcher.wake);
    keepAlive.end();
  };
  return {
    watch: async function* (prefix, snapshot, signal) {
      const watcher: Watcher = { prefix, pending: new Map(), wake: () => undefined, isClosed: false };
      watchers.add(watcher);
      try {
        yield { type: "snapshot", entries: snapshot() };
        while (!signal.aborted) {
          const changes = [...watcher.pending.values()];
          watcher.pending.clear();
          yield* changes;
          await nextChange(watcher, signal);
          if (watcher.isClosed && !signal.aborted) throw new ClosedError("The memory state store");
        }
      } finally {
        watchers.delete(watcher);
      }
    },
    tell: (key, make) => {
      for (const watcher of watchers) {
        if (!watcher.prefix.every((segment, index) => key[index] === segment)) continue;
        const name = JSON.stringify(key);
        watcher.pending.delete(name);
        watcher.pending.set(name, make());
        watcher.wake();
      }
    },
    close: () => {
      for (const watcher of watchers) {
        watcher.isClosed = true;
        watcher.wake();
      }
    },
  };
}
