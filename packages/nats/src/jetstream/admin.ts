import { inspect } from "node:util";
import {
  type BrokerAdmin,
  type ListOptions,
  OptionError,
  type QueueEntry,
  type QueuePage,
  type QueueSection,
} from "@taskferry/core";
import type { Api } from "../api.ts";
import type { Stored } from "../stored.ts";
import { countSubjects } from "../streams.ts";
import { findDurable } from "./durables.ts";
import { deadKey, toDeadEntry, toDelayedEntry, toEntry } from "./entries.ts";
import { bands, type Layout } from "./layout.ts";
import { bandDurable } from "./queues.ts";
import { inOrder, StoredMessages } from "./stored-messages.ts";

export interface AdminParts {
  readonly api: Api;
  readonly layout: Layout;
  /** When the lease of a message ends that this process holds, on the wall clock. */
  readonly leaseEnd: (sequence: number) => number | undefined;
}

type Removable = Exclude<QueueSection, "running">;

/** Up to which number a band's messages have been delivered, and below which all are acknowledged. */
interface Progress {
  readonly delivered: number;
  readonly floor: number;
}

/** Looks into the streams and removes. */
export class JetStreamAdmin implements BrokerAdmin {
  readonly #api: Api;
  readonly #layout: Layout;
  readonly #leaseEnd: (sequence: number) => number | undefined;
  readonly #live: StoredMessages;
  readonly #dead: StoredMessages;

  constructor({ api, layout, leaseEnd }: AdminParts) {
    this.#api = api;
    this.#layout = layout;
    this.#leaseEnd = leaseEnd;
    this.#live = new StoredMessages(api, layout.stream);
    this.#dead = new StoredMessages(api, layout.deadStream);
  }

  async queues(): Promise<readonly string[]> {
    const { stream, deadStream } = this.#layout;
    const all = await Promise.all([stream, deadStream].map((name) => countSubjects(this.#api, name, ">")));
    const names = all.flatMap((subjects) => [...subjects.keys()].map((subject) => this.#layout.queueOf(subject)));
    return [...new Set(names)].sort();
  }

  async depth(queue: string): Promise<Readonly<Record<QueueSection, number>>> {
    const { stream, deadStream } = this.#layout;
    const [dead, delayed, ...perBand] = await Promise.all([
      this.#sum(deadStream, this.#layout.dead(queue)),
      this.#sum(stream, ...this.#delayedFilters(queue)),
      ...bands.map(async (band) => {
        const durable = bandDurable(this.#layout, queue, band);
        const info = await findDurable(this.#api, durable);
        if (info === undefined) return { ready: await this.#sum(stream, durable.filter), running: 0 };
        const { num_pending: ready, num_ack_pending: held } = info;
        // A server that was killed may hold what is gone: it forgot an acknowledgement, and not what that removed.
        const there = held === 0 ? 0 : (await this.#sum(stream, durable.filter)) - ready;
        return { ready, running: Math.max(0, Math.min(held, there)) };
      }),
    ]);
    const total = (name: "ready" | "running"): number => perBand.reduce((sum, band) => sum + band[name], 0);
    return { ready: total("ready"), delayed, running: total("running"), dead };
  }

  async list(queue: string, { section, limit, cursor }: ListOptions): Promise<QueuePage> {
    const from = cursor === undefined ? undefined : readCursor(cursor);
    return section === "dead" ? this.#listDead(queue, limit, from) : this.#listLive(queue, { section, limit, from });
  }

  async read(queue: string, section: QueueSection, key: string): Promise<QueueEntry | undefined> {
    let found: Stored | undefined;
    const isMeant = (stored: Stored): boolean => {
      const { message } = toEntry(stored);
      return String(stored.sequence) === key || message?.id === key || deadKey(stored) === key;
    };
    for await (const stored of this.#walk(queue, section, 1)) if (isMeant(stored)) found = stored;
    return found === undefined ? undefined : this.#toEntry(section, found);
  }

  async remove(queue: string, section: Removable, keys: readonly string[]): Promise<number> {
    const wanted = new Set(keys);
    const sequences: number[] = [];
    for await (const { sequence } of this.#walk(queue, section, 1))
      if (wanted.has(String(sequence))) sequences.push(sequence);
    return (section === "dead" ? this.#dead : this.#live).remove(sequences);
  }

  async purge(queue: string, section: Removable): Promise<number> {
    const { stream, deadStream } = this.#layout;
    if (section === "dead") return this.#purge(deadStream, this.#layout.dead(queue));
    if (section === "delayed") {
      const purged = await Promise.all(this.#delayedFilters(queue).map((filter) => this.#purge(stream, filter)));
      return purged.reduce((sum, count) => sum + count, 0);
    }
    const { running } = await this.depth(queue);
    if (running === 0) return this.#purge(stream, this.#layout.readyFilter(queue, "*"));
    const sequences: number[] = [];
    for await (const { sequence } of this.#walk(queue, "ready", 1)) sequences.push(sequence);
    return this.#live.remove(sequences);
  }

  async #purge(stream: string, filter: string): Promise<number> {
    if ((await this.#sum(stream, filter)) === 0) return 0;
    return (await this.#api.call<{ readonly purged: number }>(`STREAM.PURGE.${stream}`, { filter })).purged;
  }

  async #listLive(
    queue: string,
    {
      section,
      limit,
      from = 1,
    }: { readonly section: QueueSection; readonly limit: number; readonly from?: number | undefined },
  ): Promise<QueuePage> {
    const entries: QueueEntry[] = [];
    for await (const stored of this.#walk(queue, section, from)) {
      if (entries.length === limit) return { entries, cursor: String(stored.sequence) };
      entries.push(this.#toEntry(section, stored));
    }
    return { entries };
  }

  /** Newest first: the stream only reads forward. */
  async #listDead(queue: string, limit: number, before = Number.POSITIVE_INFINITY): Promise<QueuePage> {
    const found: Stored[] = [];
    for await (const stored of this.#walk(queue, "dead", 1)) {
      if (stored.sequence >= before) break;
      found.push(stored);
      if (found.length > limit + 1) found.shift();
    }
    const entries = found.slice(-limit).reverse().map(toDeadEntry);
    const last = found.at(-limit);
    return found.length > limit && last !== undefined ? { entries, cursor: String(last.sequence) } : { entries };
  }

  #toEntry(section: QueueSection, stored: Stored): QueueEntry {
    switch (section) {
      case "dead":
        return toDeadEntry(stored);
      case "delayed":
        return toDelayedEntry(stored);
      case "running":
        return toEntry(stored, this.#leaseEnd(stored.sequence));
      case "ready":
        return toEntry(stored);
    }
  }

  /** The messages of a section, oldest first. */
  async *#walk(queue: string, section: QueueSection, from: number): AsyncGenerator<Stored> {
    if (section === "dead") return yield* this.#dead.from(from, this.#layout.dead(queue));
    if (section === "delayed") {
      const [parked, scheduled] = this.#delayedFilters(queue);
      return yield* inOrder(this.#live.from(from, parked), this.#live.from(from, scheduled));
    }
    const progress = await this.#progress(queue);
    for await (const stored of this.#live.from(from, this.#layout.readyFilter(queue, "*"))) {
      const { delivered, floor } = progress.get(bandIn(stored.subject)) ?? { delivered: 0, floor: 0 };
      const isReady = stored.sequence > delivered;
      // What is stored below the floor was acknowledged, and brought back by a crash of the server.
      if (section === "ready" ? isReady : !isReady && stored.sequence > floor) yield stored;
    }
  }

  async #progress(queue: string): Promise<ReadonlyMap<number, Progress>> {
    const all = await Promise.all(
      bands.map(async (band) => {
        const info = await findDurable(this.#api, bandDurable(this.#layout, queue, band));
        const [delivered, floor] = [info?.delivered.stream_seq ?? 0, info?.ack_floor.stream_seq ?? 0];
        return [band, { delivered, floor }] as const;
      }),
    );
    return new Map<number, Progress>(all);
  }

  async #sum(stream: string, ...filters: readonly string[]): Promise<number> {
    const counts = await Promise.all(filters.map((filter) => countSubjects(this.#api, stream, filter)));
    return counts.flatMap((count) => [...count.values()]).reduce((sum, count) => sum + count, 0);
  }

  #delayedFilters(queue: string): readonly [parked: string, scheduled: string] {
    return [this.#layout.delayedFilter(queue), this.#layout.scheduledFilter(queue)];
  }
}

function bandIn(subject: string): number {
  return Number(subject.split(".").at(-2));
}

/** @throws OptionError `OPTION_INVALID`. */
function readCursor(cursor: string): number {
  if (/^\d+$/.test(cursor)) return Number(cursor);
  throw new OptionError("OPTION_INVALID", `Expected a cursor that list gave, got ${inspect(cursor)}.`);
}
