import { setTimeout as wait } from "node:timers/promises";
import { isTaskferryError, type StateChange, type StateEntry } from "@taskferry/core";
import { type NamedChange, nameOf } from "./change.ts";

export interface WatchParts {
  readonly signal: AbortSignal;
  readonly subscribe: () => Promise<void>;
  readonly snapshot: () => Promise<readonly StateEntry[]>;
  readonly onEnd: () => void;
}

/** One watch: a snapshot, then the changes that came after it; a snapshot again after a gap. */
export class Watch {
  readonly #parts: WatchParts;
  /** Changes since the last snapshot was asked for, the last of each key, in order of arrival. */
  readonly #pending = new Map<string, NamedChange>();
  #needsSnapshot = true;
  #isFailed = false;
  #reason: unknown;
  #wake: (() => void) | undefined;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  offer(change: NamedChange): void {
    this.#pending.delete(change.name);
    this.#pending.set(change.name, change);
    this.#wake?.();
  }

  /** A gap: what came meanwhile is unknown. */
  restart(): void {
    this.#needsSnapshot = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#isFailed = true;
    this.#reason = reason;
    this.#wake?.();
  }

  async *changes(): AsyncGenerator<StateChange> {
    const { signal, onEnd } = this.#parts;
    const onAbort = (): void => this.#wake?.();
    signal.addEventListener("abort", onAbort);
    const revisions = new Map<string, number>();
    try {
      while (!signal.aborted) {
        if (this.#isFailed) throw this.#reason;
        if (this.#needsSnapshot) {
          const entries = await this.#takeSnapshot();
          if (entries === undefined) continue;
          revisions.clear();
          for (const entry of entries) revisions.set(nameOf(entry.key), Number(entry.revision));
          yield { type: "snapshot", entries };
          continue;
        }
        const [next] = this.#pending.values();
        if (next === undefined) {
          await this.#changed();
          continue;
        }
        this.#pending.delete(next.name);
        // Older than the snapshot that the reader has.
        if (next.revision <= (revisions.get(next.name) ?? 0)) continue;
        revisions.set(next.name, next.revision);
        yield next.change;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      onEnd();
    }
  }

  /** Subscribed first, read then. `undefined`: out of reach, to be tried again. */
  async #takeSnapshot(): Promise<readonly StateEntry[] | undefined> {
    try {
      await this.#parts.subscribe();
      this.#needsSnapshot = false;
      this.#pending.clear();
      return await this.#parts.snapshot();
    } catch (error) {
      if (!isTaskferryError(error) || !error.retryable) throw error;
      this.#needsSnapshot = true;
      await wait(200, undefined, { signal: this.#parts.signal }).catch(() => undefined);
      return undefined;
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
