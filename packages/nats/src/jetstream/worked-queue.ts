import type { Msg, Subscription } from "@nats-io/transport-node";
import { isTaskferryError, monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { nanoseconds } from "../streams.ts";
import type { JetStreamConsumer } from "./consumer.ts";
import { findDurable } from "./durables.ts";
import { removeOrphans } from "./janitor.ts";
import { type Band, bands, type Layout, middle } from "./layout.ts";
import { ackWaitOf, ensureTerms } from "./lease-terms.ts";
import { bandDurable } from "./queues.ts";
import { Source } from "./source.ts";

export interface WorkedQueueParts {
  readonly queue: string;
  readonly connection: Connection;
  readonly api: Api;
  readonly layout: Layout;
  /** Makes the streams, should they be gone. */
  readonly ensureStreams: () => Promise<void>;
}

/** Milliseconds between looks whether all is as it should be. */
const checkInterval = 5_000;
const repairPause = 250;

/** A queue that consumers of this process work on: its bands, what others tell of it, and its repair. */
export class WorkedQueue {
  readonly #parts: WorkedQueueParts;
  readonly #consumers = new Set<JetStreamConsumer>();
  #notes: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #repairing: Promise<void> | undefined;
  /** When a consumer joined last. */
  #joinedAt = 0;

  constructor(parts: WorkedQueueParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return this.#consumers.size === 0;
  }

  /** Gives a consumer its bands, and keeps them for it. */
  async join(consumer: JetStreamConsumer): Promise<void> {
    const { connection, layout, queue } = this.#parts;
    this.#consumers.add(consumer);
    this.#joinedAt = monotonicNow();
    try {
      this.#notes ??= connection.driver.subscribe(layout.note(queue), {
        callback: (_, message) => this.#hear(message),
      });
      await consumer.addBand(middle);
      await this.#findBands();
      await this.#removeOrphans();
    } catch (error) {
      this.leave(consumer);
      throw error;
    }
    this.#timer ??= setInterval(() => this.repair(), checkInterval);
  }

  leave(consumer: JetStreamConsumer): void {
    this.#consumers.delete(consumer);
    if (!this.isIdle) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#notes?.unsubscribe();
    this.#notes = undefined;
  }

  async openSource(band: Band, consumer: JetStreamConsumer): Promise<Source> {
    const { connection, api, layout, queue } = this.#parts;
    const durable = bandDurable(layout, queue, band);
    const source = new Source({
      connection,
      api,
      durable,
      onMessage: (message, from) => consumer.receive(message, from),
      onEnd: () => consumer.hear(),
      onGone: () => this.repair(),
    });
    const { lease } = consumer;
    source.meet(await ensureTerms(durable, { connection, api, lease, note: layout.note(queue) }));
    return source;
  }

  /** Looks whether all is there, and makes what is not: after an outage, by the clock, and when a request found nothing. */
  repair(): void {
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = undefined;
    });
  }

  async #repair(): Promise<void> {
    for (;;) {
      try {
        await this.#findBands();
        await this.#refresh();
        await this.#removeOrphans();
        for (const consumer of this.#consumers) consumer.hear();
        return;
      } catch (error) {
        if (!isTaskferryError(error)) throw error;
        if (this.isIdle || error.code === "CLOSED") return;
        if (!error.retryable && !(await this.#restoreStreams())) {
          for (const consumer of this.#consumers) consumer.fail(error);
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, repairPause));
    }
  }

  /** Whether the streams are there now, or may be later. */
  async #restoreStreams(): Promise<boolean> {
    try {
      await this.#parts.ensureStreams();
      return true;
    } catch (error) {
      return isTaskferryError(error) && error.retryable;
    }
  }

  /** Bands that somebody has published to. */
  async #findBands(): Promise<void> {
    const { api, layout, queue } = this.#parts;
    for (const band of bands) {
      if ([...this.#consumers].every((consumer) => consumer.sources.has(band))) continue;
      if ((await findDurable(api, bandDurable(layout, queue, band))) === undefined) continue;
      await Promise.all([...this.#consumers].map((consumer) => consumer.addBand(band)));
    }
  }

  /** Consumers of the server that were deleted are made again; terms that are too short are raised. */
  async #refresh(): Promise<void> {
    const { connection, api, layout, queue } = this.#parts;
    const lease = Math.max(...[...this.#consumers].map((consumer) => consumer.lease));
    for (const band of bands) {
      const sources = [...this.#consumers].flatMap(({ sources: all }) => all.get(band) ?? []);
      if (sources.length === 0) continue;
      const durable = bandDurable(layout, queue, band);
      const found = await findDurable(api, durable);
      const isFit = found !== undefined && found.config.ack_wait >= ackWaitOf(lease) * nanoseconds;
      if (found === undefined) await this.#parts.ensureStreams();
      const isSettled = this.#joinedAt + (found?.config.ack_wait ?? 0) / nanoseconds < monotonicNow();
      const parts = { connection, api, lease, note: layout.note(queue) };
      const info = isFit ? found : await ensureTerms(durable, parts, isSettled);
      for (const source of sources) source.meet(info);
    }
    for (const consumer of this.#consumers) consumer.reviewTerms();
  }

  async #removeOrphans(): Promise<void> {
    const { connection, api, layout, queue } = this.#parts;
    for (const band of bands) {
      if ([...this.#consumers].some((consumer) => consumer.sources.has(band)))
        await removeOrphans({ connection, api }, bandDurable(layout, queue, band));
    }
  }

  #hear(message: Msg): void {
    const note = readNote(message);
    if (note.band !== undefined) {
      const { band } = note;
      for (const consumer of this.#consumers) consumer.addBand(band).catch(() => this.repair());
    }
    if (note.ackWait !== undefined) this.repair();
    const { lease = Number.POSITIVE_INFINITY } = note;
    if ([...this.#consumers].some((consumer) => consumer.lease > lease)) message.respond("longer");
  }
}

interface Note {
  /** There is a band that was not there before. */
  readonly band?: Band | undefined;
  /** Somebody wants to lower the terms, unless somebody has a longer lease than this. */
  readonly lease?: number | undefined;
  /** The terms have changed. */
  readonly ackWait?: number | undefined;
}

function readNote(message: Msg): Note {
  try {
    const { band, lease, ackWait } = message.json<{ readonly [name in keyof Note]?: unknown }>();
    const readNumber = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
    return { band: bands.find((one) => one === band), lease: readNumber(lease), ackWait: readNumber(ackWait) };
  } catch {
    // Somebody else's.
    return {};
  }
}
