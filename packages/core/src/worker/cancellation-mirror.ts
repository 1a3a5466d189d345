import { setTimeout as wait } from "node:timers/promises";
import { type Cancellation, cancellationPrefix, decodeRecord } from "../cancellation.ts";
import type { Logger } from "../logger.ts";
import type { StateChange, StateEntry, StateStore } from "../state-store.ts";

export interface MirrorParts {
  readonly state: StateStore;
  /** Told of each record that arrives, and of those that were there before. */
  readonly onRecord: (id: string, record: Cancellation) => void;
  readonly logger: Logger;
}

interface Mirrored {
  readonly record: Cancellation;
  readonly expiresAt: number;
}

/** Milliseconds after which a mirror that broke is built anew. */
const rebuildPause = 1_000;

/** The cancellations of the state store, at hand: no task pays a round trip for a look. */
export class CancellationMirror {
  readonly #parts: MirrorParts;
  readonly #records = new Map<string, Mirrored>();
  readonly #stopping = new AbortController();
  readonly #following: Promise<void>;
  #isComplete = false;

  constructor(parts: MirrorParts) {
    this.#parts = parts;
    this.#following = this.#follow();
  }

  /** Whether it holds all that there is, as far as it knows. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  get isEmpty(): boolean {
    return this.#records.size === 0;
  }

  find(id: string): Cancellation | undefined {
    return this.#records.get(id)?.record;
  }

  /** Takes in a record, however it came here. */
  learn({ key, value, expiresAt = Number.POSITIVE_INFINITY }: StateEntry): void {
    const id = key.at(-1) ?? "";
    const record = decodeRecord<Cancellation>(value);
    this.#records.set(id, { record, expiresAt });
    this.#parts.onRecord(id, record);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { state, logger } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const change of state.watch(cancellationPrefix, signal)) this.#apply(change);
      } catch (error) {
        logger.warn({ error }, "cancellations are not heard of for now: they are read with the heartbeat");
      }
      this.#isComplete = false;
      await wait(rebuildPause, undefined, { signal }).catch(() => undefined);
    }
  }

  #apply(change: StateChange): void {
    this.#dropExpired();
    if (change.type === "put") return this.learn(change.entry);
    if (change.type === "delete") return void this.#records.delete(change.key.at(-1) ?? "");
    this.#isComplete = change.type === "snapshot";
    if (change.type === "gap") return;
    this.#records.clear();
    for (const entry of change.entries) this.learn(entry);
  }

  /** Expiries are not announced; those that are written last mostly expire last, so a look at the front suffices. */
  #dropExpired(): void {
    const now = Date.now();
    for (const [id, { expiresAt }] of this.#records) {
      if (expiresAt > now) return;
      this.#records.delete(id);
    }
  }
}
