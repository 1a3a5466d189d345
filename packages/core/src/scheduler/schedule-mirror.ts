import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "../logger.ts";
import { schedulesPrefix } from "../schedules/record.ts";
import { readEntry, type StoredSchedule } from "../schedules/registry.ts";
import type { StateChange, StateStore } from "../state-store.ts";
import type { NextInstant } from "../timing/cron.ts";
import { createNextAfter } from "../timing/timing.ts";

/** A schedule at hand. */
export interface Mirrored {
  readonly stored: StoredSchedule;
  readonly next: NextInstant;
  /** The next nominal time after its cursor. */
  readonly due: number | undefined;
}

export interface ScheduleMirrorParts {
  readonly state: StateStore;
  readonly logger: Logger;
  /** Told after each change. */
  readonly onChange: () => void;
}

/** Milliseconds after which a mirror that broke is built anew. */
const rebuildPause = 1_000;

/** The schedules of the state store, at hand: what is due is known without a look. */
export class ScheduleMirror {
  readonly #parts: ScheduleMirrorParts;
  readonly #schedules = new Map<string, Mirrored>();
  readonly #stopping = new AbortController();
  readonly #following: Promise<void>;

  constructor(parts: ScheduleMirrorParts) {
    this.#parts = parts;
    this.#following = this.#follow();
  }

  get size(): number {
    return this.#schedules.size;
  }

  all(): Iterable<Mirrored> {
    return this.#schedules.values();
  }

  /** Takes in what was read or written beside the watch. */
  learn(stored: StoredSchedule): Mirrored {
    const known = this.#schedules.get(stored.id);
    const isKnownTiming = known !== undefined && sameTiming(known.stored, stored);
    const next = isKnownTiming ? known.next : createNextAfter(stored.record.timing);
    const mirrored = { stored, next, due: next(stored.record.cursor) };
    this.#schedules.set(stored.id, mirrored);
    return mirrored;
  }

  forget(id: string): void {
    this.#schedules.delete(id);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { state, logger, onChange } = this.#parts;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for await (const change of state.watch(schedulesPrefix, signal)) {
          this.#apply(change);
          onChange();
        }
      } catch (error) {
        logger.warn({ error }, "changes of schedules are not heard of for now");
      }
      await wait(rebuildPause, undefined, { signal }).catch(() => undefined);
    }
  }

  #apply(change: StateChange): void {
    if (change.type === "delete") return this.forget(change.key.at(-1) ?? "");
    if (change.type === "put") return void this.#read(() => this.#hear(readEntry(change.entry)));
    if (change.type === "gap") return;
    const ids = new Set(change.entries.map(({ key }) => key.at(-1) ?? ""));
    for (const id of this.#schedules.keys()) if (!ids.has(id)) this.forget(id);
    for (const entry of change.entries) this.#read(() => this.learn(readEntry(entry)));
  }

  /** What was written here, or read, may be newer than what is only now heard of: a cursor never goes back. */
  #hear(stored: StoredSchedule): void {
    const known = this.#schedules.get(stored.id)?.stored.record;
    const { revision, cursor } = stored.record;
    if (known === undefined || known.revision !== revision || known.cursor <= cursor) this.learn(stored);
  }

  /** A record of a newer version, or a time zone that this machine does not know, must not stop the others. */
  #read(learn: () => void): void {
    try {
      learn();
    } catch (error) {
      this.#parts.logger.error({ error }, "a schedule cannot be read: it is not fired here");
    }
  }
}

function sameTiming(a: StoredSchedule, b: StoredSchedule): boolean {
  return a.record.revision === b.record.revision && JSON.stringify(a.record.timing) === JSON.stringify(b.record.timing);
}
