import type { Msg } from "@nats-io/transport-node";
import { isTaskferryError, monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { ServerClock } from "../clock.ts";
import { type Connection, hasNoResponders } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { readAckSubject } from "./ack-subject.ts";
import { type Durable, ensureDurable, findDurable } from "./durables.ts";
import type { Band, Layout } from "./layout.ts";
import { MissedSchedules } from "./missed-schedules.ts";
import { delayHeader, type Publisher } from "./publisher.ts";
import type { Schedules } from "./schedules.ts";
import { Source } from "./source.ts";

export interface MoverParts {
  readonly queue: string;
  readonly connection: Connection;
  readonly api: Api;
  readonly layout: Layout;
  readonly publisher: Publisher;
  readonly clock: ServerClock;
  readonly schedules: Schedules;
}

interface Parked {
  readonly dueAt: number;
  readonly ack: string;
  readonly band: Band;
  readonly key: string;
  readonly bytes: Uint8Array;
  /** When it stops to be this mover's. */
  readonly until: number;
}

/** Milliseconds for which a parked message is this mover's: what a crashed one had is late by so much at most. */
const parkedLease = 5_000;
/** What is due within so many milliseconds is waited for here; the rest goes back to the server until shortly before. */
const near = 1_000;
const early = 500;
/** The longest time for which it is left there: clocks are looked at anew. */
const longestRest = 3_600_000;
const mostNear = 1_000;
const moveLimit = 3_000;
const retryPause = 200;

/**
 * Moves what is due from where it is parked into its queue. A parked message is pulled, and handed back for as long as
 * it has to wait; the server keeps the time over crashes of all of us. Any number of movers may work on a queue.
 */
export class Mover {
  readonly #parts: MoverParts;
  readonly #source: Source;
  readonly #missed: MissedSchedules;
  /** Whether workers of this process want what is due. Others move only while nobody else does: they may end at any time. */
  #isWorkers = false;
  #isAsking = false;
  /** What is due soon, by time. */
  #near: Parked[] = [];
  #timer: NodeJS.Timeout | undefined;
  #moving: Promise<void> | undefined;
  #isStopped = false;
  readonly #beat: NodeJS.Timeout;

  constructor(parts: MoverParts) {
    const { connection, api } = parts;
    this.#parts = parts;
    this.#source = new Source({
      connection,
      api,
      durable: this.#durable(),
      onMessage: (message) => this.#receive(message),
      onEnd: () => this.hear(),
      onGone: () => void this.#start(),
    });
    this.#missed = new MissedSchedules(parts);
    this.#beat = setInterval(() => this.hear(), 1_000);
    void this.#start();
  }

  /** To be told when something may have changed, such as the connection. */
  hear(): void {
    if (this.#isStopped || this.#source.created === undefined) return;
    void this.#parts.clock.read().catch(() => undefined);
    if (this.#isWorkers) this.#missed.look();
    const missing = mostNear - this.#near.length - this.#source.outstanding;
    if (missing < mostNear / 2) return;
    if (this.#isWorkers) this.#source.pull(missing);
    else void this.#pullAlone(missing);
  }

  /** To be told that workers of this process work on the queue. */
  workHere(): void {
    this.#isWorkers = true;
    this.hear();
  }

  async #pullAlone(count: number): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const found = await findDurable(this.#parts.api, this.#durable());
      if (found?.num_waiting === 0 && !this.#isStopped) this.#source.pull(count);
    } catch (error) {
      // Out of reach: the next beat asks again.
      if (!isTaskferryError(error)) throw error;
    } finally {
      this.#isAsking = false;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#beat);
    clearTimeout(this.#timer);
    await this.#source.withdraw();
    await Promise.all([this.#moving, this.#missed.stop()]);
    for (const parked of this.#near.splice(0)) this.#rest(parked.ack, parked.dueAt - this.#parts.clock.now());
  }

  #durable(): Durable {
    const { layout, queue } = this.#parts;
    return { stream: layout.stream, name: layout.delayDurable(queue), filter: layout.delayedFilter(queue) };
  }

  async #start(): Promise<void> {
    try {
      await this.#parts.clock.read();
      this.#source.meet(await ensureDurable(this.#parts.api, this.#durable(), parkedLease));
      this.hear();
    } catch (error) {
      if (!isTaskferryError(error)) throw error;
      if (!this.#isStopped && error.code !== "CLOSED") setTimeout(() => void this.#start(), early).unref();
    }
  }

  #receive(message: Msg): void {
    const { reply = "", headers, subject, data } = message;
    const { storedAt, sequence } = readAckSubject(reply);
    const delay = Number(headers?.get(delayHeader) ?? 0);
    const dueAt = storedAt + (Number.isFinite(delay) ? delay : 0);
    const left = dueAt - this.#parts.clock.now();
    if (left > near || this.#isStopped) {
      this.#rest(reply, left - (this.#isStopped ? 0 : early));
      return;
    }
    const band = Number(subject.slice(subject.lastIndexOf(".") + 1)) as Band;
    const key = headers?.get(natsHeader.messageId) || String(sequence);
    const until = this.#parts.connection.pulse.freshSince + parkedLease;
    this.#insert({ dueAt, ack: reply, band, key, bytes: data, until });
    this.#schedule();
  }

  #insert(parked: Parked): void {
    let place = this.#near.length;
    while (place > 0 && (this.#near[place - 1] as Parked).dueAt > parked.dueAt) place -= 1;
    this.#near.splice(place, 0, parked);
  }

  /** Hands it back to the server for some time. */
  #rest(ack: string, milliseconds: number): void {
    const { connection } = this.#parts;
    const delay = Math.max(1, Math.min(longestRest, Math.ceil(milliseconds)));
    if (connection.isConnected) connection.driver.publish(ack, `-NAK {"delay": ${delay * 1_000_000}}`);
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const [first] = this.#near;
    if (first === undefined || this.#moving !== undefined || this.#isStopped) return;
    this.#timer = setTimeout(() => this.#begin(), Math.max(0, Math.ceil(first.dueAt - this.#parts.clock.now())));
  }

  #begin(): void {
    this.#moving = this.#move().finally(() => {
      this.#moving = undefined;
      this.#schedule();
      this.hear();
    });
  }

  async #move(): Promise<void> {
    const now = this.#parts.clock.now();
    const waiting = this.#near.findIndex(({ dueAt }) => dueAt > now);
    const due = this.#near.splice(0, waiting < 0 ? this.#near.length : waiting);
    try {
      await this.#moveAll(due);
    } catch (error) {
      // Out of reach: tried again, and recognised if it was moved, for as long as it is ours; then it comes by itself.
      if (!isTaskferryError(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, retryPause));
      for (const parked of due) if (parked.until > monotonicNow()) this.#insert(parked);
    }
  }

  /** Published first, then acknowledged: a crash in between publishes again, and is recognised. */
  async #moveAll(due: readonly Parked[]): Promise<void> {
    const { layout, queue, publisher, connection } = this.#parts;
    const requests = due.map(({ band, key, bytes }): Request => {
      const headers = headersOf({ [natsHeader.messageId]: `due:${key}` });
      return { subject: layout.ready(queue, band), payload: bytes, headers };
    });
    const results = await publisher.send(requests, monotonicNow() + moveLimit);
    const moved = due.filter((_, index) => /accepted|duplicate/.test(results[index]?.status ?? ""));
    const full = due.filter((_, index) => results[index]?.status === "refused");
    for (const { ack } of full) this.#rest(ack, early);
    const { replies } = await connection.ask(
      moved.map(({ ack }) => ({ subject: ack, payload: "+ACK" })),
      connection.timeout,
    );
    if (replies.some((reply) => reply !== undefined && hasNoResponders(reply))) void this.#start();
  }
}
