import type { Subscription } from "@nats-io/transport-node";
import {
  type AnnouncedChange,
  type StateChange,
  type StateEntry,
  type StateKey,
  type StatePage,
  StateWatch,
} from "@taskferry/core";
import type { Bucket } from "../bucket/bucket.ts";
import type { ServerClock } from "../clock.ts";
import type { Connection } from "../connection.ts";
import { readChange } from "./change.ts";
import { keyOf, subjectKey, subjectPrefix } from "./keys.ts";

export interface StateWatchesParts {
  readonly connection: Connection;
  readonly bucket: Bucket;
  readonly clock: ServerClock;
  /** Where stored entries are announced: their keys come after it. */
  readonly announced: string;
  readonly list: (
    prefix: StateKey,
    options: { readonly limit: number; readonly cursor?: string },
  ) => Promise<StatePage>;
}

const pageSize = 1_000;
/** Milliseconds between looks whether all that was written was heard. */
const checkInterval = 5_000;

interface Watched {
  readonly prefix: StateKey;
  subscriptions: readonly Subscription[];
  /** The highest number heard of, or seen in a snapshot. */
  heard: number;
  /** The highest number at the last look. */
  expected: number;
}

/** All watches of a store. */
export class StateWatches {
  readonly #parts: StateWatchesParts;
  readonly #watches = new Map<StateWatch, Watched>();
  #check: NodeJS.Timeout | undefined;

  constructor(parts: StateWatchesParts) {
    this.#parts = parts;
  }

  watch(prefix: StateKey, signal: AbortSignal): AsyncIterable<StateChange> {
    const watched: Watched = { prefix, subscriptions: [], heard: 0, expected: 0 };
    const watch: StateWatch = new StateWatch({
      signal,
      subscribe: () => this.#subscribe(watched, (change) => watch.offer(change)),
      snapshot: () => this.#snapshot(watched),
      onEnd: () => this.#leave(watch),
    });
    this.#watches.set(watch, watched);
    this.#check ??= setInterval(() => void this.#findSilence().catch(() => undefined), checkInterval);
    return watch.changes();
  }

  /** To be told when the connection is there again: what was announced meanwhile was not heard. */
  restartAll(): void {
    for (const watch of this.#watches.keys()) watch.restart();
  }

  close(reason: unknown): void {
    for (const watch of this.#watches.keys()) watch.fail(reason);
    clearInterval(this.#check);
    this.#check = undefined;
  }

  #leave(watch: StateWatch): void {
    for (const subscription of this.#watches.get(watch)?.subscriptions ?? []) {
      if (!subscription.isClosed()) subscription.unsubscribe();
    }
    this.#watches.delete(watch);
    if (this.#watches.size > 0) return;
    clearInterval(this.#check);
    this.#check = undefined;
  }

  /** What is sent over this connection afterwards is done by the server afterwards. */
  async #subscribe(watched: Watched, offer: (change: AnnouncedChange) => void): Promise<void> {
    const { connection, clock, announced } = this.#parts;
    if (!(await connection.whenConnected(connection.timeout))) throw connection.unavailable("there is no connection");
    if (watched.subscriptions.length > 0) return;
    const subjects = this.#subjectsOf(watched.prefix).map((subject) => `${announced}.${subject}`);
    watched.subscriptions = subjects.map((subject) =>
      connection.driver.subscribe(subject, {
        callback: (error, message) => {
          if (error !== null) return;
          const key = keyOf(message.subject.slice(announced.length + 1));
          const change = readChange(key, message, clock.now());
          if (change === undefined) return;
          watched.heard = Math.max(watched.heard, change.revision);
          offer(change);
        },
      }),
    );
  }

  async #snapshot(watched: Watched): Promise<readonly StateEntry[]> {
    watched.heard = Math.max(watched.heard, await this.#lastUnder(watched.prefix));
    const entries: StateEntry[] = [];
    let cursor: string | undefined;
    do {
      const options = { limit: pageSize, ...(cursor !== undefined && { cursor }) };
      const page = await this.#parts.list(watched.prefix, options);
      entries.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return entries;
  }

  /** Announcements are not repeated: what was there at the last look and has still not been heard of was missed. */
  async #findSilence(): Promise<void> {
    for (const [watch, watched] of this.#watches) {
      if (watched.expected > watched.heard) watch.restart();
      watched.expected = await this.#lastUnder(watched.prefix);
    }
  }

  /** The number of what was stored last under a prefix. */
  async #lastUnder(prefix: StateKey): Promise<number> {
    const stored = await this.#parts.bucket.read(this.#subjectsOf(prefix));
    return Math.max(0, ...stored.map((one) => one?.sequence ?? 0));
  }

  /** The key of the prefix itself, and all that has more segments. */
  #subjectsOf(prefix: StateKey): readonly string[] {
    const below = `${subjectPrefix("e", prefix)}>`;
    return prefix.length === 0 ? [below] : [subjectKey("e", prefix), below];
  }
}
