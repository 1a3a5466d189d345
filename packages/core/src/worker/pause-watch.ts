import { setTimeout as wait } from "node:timers/promises";
import type { Emitter, WorkerEvent } from "../events.ts";
import type { Logger } from "../logger.ts";
import { pausePrefix } from "../pause.ts";
import type { StateChange, StateStore } from "../state-store.ts";

export interface PauseWatchParts {
  readonly state: StateStore;
  /** Told of all queues that are paused, when that is known first and whenever it changes. */
  readonly onPaused: (queues: ReadonlySet<string>) => void;
  readonly logger: Logger;
}

/** Milliseconds after which a watch that broke begins anew. */
const again = 1_000;

/** Milliseconds for which a start waits. */
const longestWait = 5_000;

/** Follows which queues are paused. */
export class PauseWatch {
  readonly #parts: PauseWatchParts;
  readonly #stopping = new AbortController();
  readonly #paused = new Set<string>();
  #onFirst: () => void = () => undefined;
  /** Resolves once it is known which queues are paused, or the store has not said so for {@link longestWait}. */
  readonly known: Promise<void>;
  readonly #following: Promise<void>;

  constructor(parts: PauseWatchParts) {
    this.#parts = parts;
    this.known = new Promise((resolve) => {
      const timer = setTimeout(resolve, longestWait);
      this.#onFirst = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#onFirst();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { state, logger, onPaused } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const change of state.watch(pausePrefix, signal)) {
          this.#apply(change);
          onPaused(this.#paused);
          this.#onFirst();
        }
      } catch (error) {
        logger.warn({ error }, "pauses of queues are not heard of for now");
      }
      await wait(again, undefined, { signal }).catch(() => undefined);
    }
  }

  #apply(change: StateChange): void {
    if (change.type === "put") this.#paused.add(change.entry.key.at(-1) ?? "");
    else if (change.type === "delete") this.#paused.delete(change.key.at(-1) ?? "");
    else if (change.type === "snapshot") {
      this.#paused.clear();
      for (const { key } of change.entries) this.#paused.add(key.at(-1) ?? "");
    }
  }
}

/** What of a conveyor a pause is told to. */
export interface PausableQueue {
  readonly queue: string;
  /** Answers whether it was otherwise before. */
  pause(isPaused: boolean): boolean;
}

export interface PauseParts {
  readonly state: StateStore;
  readonly queues: readonly PausableQueue[];
  readonly worker: string;
  readonly emitter: Emitter<WorkerEvent>;
  readonly logger: Logger;
}

/** Pauses and resumes the queues of a worker as the state store says. */
export function followPauses({ state, queues, worker, emitter, logger }: PauseParts): PauseWatch {
  const apply = (one: PausableQueue, isPaused: boolean): void => {
    if (!one.pause(isPaused)) return;
    const { queue } = one;
    logger.info({ queue }, isPaused ? "the queue is paused" : "the queue is resumed");
    emitter.emit(() => ({ type: isPaused ? "queue.paused" : "queue.resumed", at: Date.now(), worker, queue }));
  };
  return new PauseWatch({
    state,
    logger,
    onPaused: (paused) => {
      for (const one of queues) apply(one, paused.has(one.queue));
    },
  });
}
