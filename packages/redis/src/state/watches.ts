import { type StateChange, type StateEntry, type StateKey, type StatePage, StateWatch } from "@taskferry/core";
import { Connection } from "../connection.ts";
import type { RedisConnectionOptions } from "../options.ts";
import { parseChange } from "./change.ts";
import { channelPrefix, layoutOf } from "./layout.ts";
import { nameOf } from "./names.ts";

export interface StateWatchesParts {
  readonly options: RedisConnectionOptions;
  readonly namespace: string;
  readonly list: (
    prefix: StateKey,
    options: { readonly limit: number; readonly cursor?: string },
  ) => Promise<StatePage>;
  /** The revisions given last, by first segment: of that one, or of all there are. */
  readonly revisions: (segment: string | undefined) => Promise<ReadonlyMap<string, number>>;
}

const pageSize = 500;
/** Milliseconds between looks whether all that was written was heard. */
const checkInterval = 5_000;

/** All watches of a store, on one subscriber connection that is opened for the first. */
export class StateWatches {
  readonly #parts: StateWatchesParts;
  readonly #subscriber: Connection;
  readonly #watches = new Map<StateWatch, StateKey>();
  /** The last revision heard of, by first segment. Revisions have no gaps, so a gap in them is something missed. */
  readonly #heard = new Map<string, number>();
  #expected: ReadonlyMap<string, number> = new Map();
  #opening: Promise<void> | undefined;
  #check: NodeJS.Timeout | undefined;

  constructor(parts: StateWatchesParts) {
    this.#parts = parts;
    this.#subscriber = new Connection(parts.options, { role: "subscriber", onConnected: () => this.#restartAll() });
  }

  watch(prefix: StateKey, signal: AbortSignal): AsyncIterable<StateChange> {
    if (prefix.length > 0) nameOf(prefix);
    const watch: StateWatch = new StateWatch({
      signal,
      subscribe: () => this.#subscribe(prefix),
      snapshot: () => this.#snapshot(prefix),
      onEnd: () => this.#leave(watch),
    });
    this.#watches.set(watch, prefix);
    this.#check ??= setInterval(() => void this.#findSilence().catch(() => undefined), checkInterval);
    return watch.changes();
  }

  close(reason: unknown): void {
    for (const watch of this.#watches.keys()) watch.fail(reason);
    this.#watches.clear();
    this.#stopChecks();
    this.#subscriber.close();
    this.#opening = undefined;
  }

  #leave(watch: StateWatch): void {
    const [segment] = this.#watches.get(watch) ?? [];
    if (!this.#watches.delete(watch)) return;
    if (this.#watches.size === 0) this.#stopChecks();
    const watched = new Set([...this.#watches.values()].map(([other]) => other));
    if (watched.has(segment) || !this.#subscriber.isOpen) return;
    // What is not subscribed to is not heard, and that is no gap.
    for (const name of this.#heard.keys()) if (!watched.has(name) && !watched.has(undefined)) this.#heard.delete(name);
    const ended = this.#subscriber.call((client) =>
      segment === undefined ? client.punsubscribe(this.#pattern) : client.unsubscribe(this.#channelOf(segment)),
    );
    ended.catch(() => undefined);
  }

  #stopChecks(): void {
    clearInterval(this.#check);
    this.#check = undefined;
    this.#expected = new Map();
  }

  async #subscribe([segment]: StateKey): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    await this.#opening;
    await this.#subscriber.call((client) =>
      segment === undefined ? client.psubscribe(this.#pattern) : client.subscribe(this.#channelOf(segment)),
    );
    for (const [name, revision] of await this.#parts.revisions(segment)) this.#hear(name, revision);
  }

  async #open(): Promise<void> {
    await this.#subscriber.open();
    const { client } = this.#subscriber;
    client.on("messageBuffer", (_channel: Buffer, message: Buffer) => this.#dispatch(message));
    client.on("pmessageBuffer", (_pattern: string, _channel: Buffer, message: Buffer) => this.#dispatch(message));
  }

  /** Others may use the channel: what is no change is passed over. */
  #dispatch(message: Buffer): void {
    const change = parseChange(message);
    if (change === undefined) return;
    const { key, revision } = change;
    const [segment = ""] = key;
    const last = this.#heard.get(segment);
    this.#hear(segment, revision);
    if (last !== undefined && revision > last + 1) this.#restart(segment);
    for (const [watch, prefix] of this.#watches) {
      if (prefix.every((part, index) => part === key[index])) watch.offer(change);
    }
  }

  #hear(segment: string, revision: number): void {
    this.#heard.set(segment, Math.max(revision, this.#heard.get(segment) ?? 0));
  }

  /** A connection may have died in silence: then what was there at the last look has still not been heard of. */
  async #findSilence(): Promise<void> {
    const expected = this.#expected;
    const segments = new Set([...this.#watches.values()].map(([segment]) => segment));
    const found = await Promise.all([...segments].map((segment) => this.#parts.revisions(segment)));
    this.#expected = new Map(found.flatMap((revisions) => [...revisions]));
    const missed = [...expected].filter(([segment, revision]) => (this.#heard.get(segment) ?? 0) < revision);
    for (const [segment] of missed) this.#restart(segment);
    if (missed.length > 0) this.#subscriber.reconnect();
  }

  #restart(segment: string): void {
    for (const [watch, [own]] of this.#watches) if (own === undefined || own === segment) watch.restart();
  }

  #restartAll(): void {
    this.#heard.clear();
    this.#expected = new Map();
    for (const watch of this.#watches.keys()) watch.restart();
  }

  async #snapshot(prefix: StateKey): Promise<readonly StateEntry[]> {
    const entries: StateEntry[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#parts.list(prefix, { limit: pageSize, ...(cursor !== undefined && { cursor }) });
      entries.push(...page.entries);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return entries;
  }

  #channelOf(segment: string): string {
    return layoutOf(this.#parts.namespace, segment).channel;
  }

  get #pattern(): string {
    return `${escapePattern(channelPrefix(this.#parts.namespace))}*`;
  }
}

function escapePattern(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, "\\$&");
}
