import { setTimeout as wait } from "node:timers/promises";
import { isTaskferryError } from "./errors.ts";
import type { StateChange, StateEntry, StateKey } from "./state-store.ts";

/** A change as a server announced it. */
export interface AnnouncedChange {
  /** Higher than that of every earlier change to the same key, and that of the entry as a number. */
  readonly revision: number;
  readonly change: Extract<StateChange, { readonly type: "put" | "delete" }>;
}

export interface StateWatchParts {
  readonly signal: AbortSignal;
  /** Resolves once every later change is offered. */
  readonly subscribe: () => Promise<void>;
  readonly snapshot: () => Promise<readonly StateEntry[]>;
  readonly onEnd: () => void;
}

/**
 * One watch of a state store whose server announces what changes: a snapshot, then the changes that came after it; a
 * snapshot again after a gap, which it tells of first. Where the server is out of reach it tries again.
 */
export class StateWatch {
  readonly #parts: StateWatchParts;
  /** Changes since the last snapshot was asked for, the last of each key, in order of arrival. */
  readonly #pending = new Map<string, AnnouncedChange>();
  #needsSnapshot = true;
  #isFailed = false;
  #reason: unknown;
  #wake: (() => void) | undefined;

  constructor(parts: StateWatchParts) {
    this.#parts = parts;
  }

  offer(announced: AnnouncedChange): void {
    const name = nameOf(keyOf(announced));
    // To the end, where its revision belongs.
    this.#pending.delete(name);
    this.#pending.set(name, announced);
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
    let isWhole = false;
    try {
      while (!signal.aborted) {
        if (this.#isFailed) throw this.#reason;
        if (this.#needsSnapshot) {
          if (isWhole) yield { type: "gap" };
          isWhole = false;
          const entries = await this.#takeSnapshot();
          if (entries === undefined) continue;
          revisions.clear();
          for (const entry of entries) revisions.set(nameOf(entry.key), Number(entry.revision));
          isWhole = true;
          yield { type: "snapshot", entries };
          continue;
        }
        const [next] = this.#pending;
        if (next === undefined) {
          await this.#changed();
          continue;
        }
        const [name, { revision, change }] = next;
        this.#pending.delete(name);
        // Older than the snapshot that the reader has.
        if (revision <= (revisions.get(name) ?? 0)) continue;
        revisions.set(name, revision);
        yield change;
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

function keyOf({ change }: AnnouncedChange): StateKey {
  return change.type === "put" ? change.entry.key : change.key;
}

function nameOf(key: StateKey): string {
  return JSON.stringify(key);
}
