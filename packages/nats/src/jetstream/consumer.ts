import type { Msg } from "@nats-io/transport-node";
import {
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  type Delivery,
  isTaskferryError,
  monotonicNow,
  type Settlement,
  type SettleResult,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { bandOrder, toDelivery, tokenOf } from "./delivery.ts";
import { Holdings } from "./holdings.ts";
import type { Band } from "./layout.ts";
import { leaseWithin } from "./lease-terms.ts";
import type { Settler } from "./settler.ts";
import type { Source } from "./source.ts";
import { BandTurns } from "./turns.ts";

export interface JetStreamConsumerParts extends ConsumeOptions {
  readonly connection: Connection;
  readonly settler: Settler;
  /** Makes the source of a band, once its consumer on the server is there. */
  readonly openSource: (band: Band, consumer: JetStreamConsumer) => Promise<Source>;
  readonly onClose: () => void;
}

/** Milliseconds for which what came while nobody takes is kept. */
const longestWait = 100;

/** Receives from one queue: pulls from its bands and buffers what comes. */
export class JetStreamConsumer implements Consumer {
  readonly #parts: JetStreamConsumerParts;
  readonly #sources = new Map<Band, Source>();
  readonly #turns = new BandTurns();
  readonly #holdings: Holdings;
  #state: "open" | "stopped" | "closed" = "open";
  #fault: unknown;
  #wake: (() => void) | undefined;
  /** What ends the take that is under way. */
  #taking: AbortSignal | undefined;
  #waitsSoon = false;
  readonly #handBacks = new Set<Promise<void>>();
  #ageTimer: NodeJS.Timeout | undefined;

  constructor(parts: JetStreamConsumerParts) {
    const { connection, settler, lease } = parts;
    this.#parts = parts;
    // A request that was lost is made again at the next beat.
    this.#holdings = new Holdings({ connection, settler, lease, onBeat: () => this.hear() });
  }

  get lease(): number {
    return this.#parts.lease;
  }

  get sources(): ReadonlyMap<Band, Source> {
    return this.#sources;
  }

  async addBand(band: Band): Promise<void> {
    if (this.#sources.has(band) || this.#state !== "open") return;
    const source = await this.#parts.openSource(band, this);
    if (this.#sources.has(band)) return;
    this.#sources.set(band, source);
    this.reviewTerms();
    this.hear();
  }

  /** To be told that the server's terms have changed: the shorter they are, the more often it is asked and told. */
  reviewTerms(): void {
    const { connection, lease } = this.#parts;
    if (this.#state === "closed") return;
    const shortest = Math.min(...[...this.#sources.values()].map((source) => leaseWithin(source, lease)));
    this.#holdings.keepPace(shortest);
    connection.pulse.keep(this, Math.max(25, Math.min(500, shortest / 10)));
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const onAbort = (): void => this.hear();
    signal.addEventListener("abort", onAbort, { once: true });
    clearTimeout(this.#ageTimer);
    this.#taking = signal;
    try {
      return await this.#take(max, signal);
    } finally {
      this.#taking = undefined;
      this.#keepForAWhile();
      signal.removeEventListener("abort", onAbort);
    }
  }

  async extend(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const own = deliveries.filter((delivery) => this.#holdings.owns(delivery));
    const lost = deliveries.filter((delivery) => !own.includes(delivery));
    this.#holdings.drop(lost);
    return own.length === 0 ? lost : [...lost, ...(await this.#holdings.extend(own))];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results = settlements.map(
      ({ delivery }): SettleResult => (this.#holdings.owns(delivery) ? "unknown" : "lost"),
    );
    const own = settlements.flatMap((_, index) => (results[index] === "unknown" ? [index] : []));
    if (own.length > 0) {
      const answers = await this.#parts.settler.settle(own.map((index) => settlements[index] as Settlement));
      own.forEach((index, position) => {
        results[index] = answers[position] as SettleResult;
      });
    }
    const ended = settlements.filter((_, index) => results[index] !== "unknown");
    this.#holdings.drop(ended.map(({ delivery }) => delivery));
    this.hear();
    return results;
  }

  async stop(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "stopped";
    this.hear();
    await this.#withdraw();
    await this.#handBack(this.#holdings.emptyBuffer());
    await Promise.all(this.#handBacks);
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    await this.stop();
    this.#state = "closed";
    clearTimeout(this.#ageTimer);
    this.#holdings.end();
    this.#parts.connection.pulse.forget(this);
    this.hear();
    this.#parts.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A delivery that this consumer has, handed out or not. */
  find(isMeant: (delivery: Delivery) => boolean): Delivery | undefined {
    return this.#holdings.find(isMeant);
  }

  /** To be told of a message that was pulled. */
  receive(message: Msg, source: Source): void {
    const { connection, lease, window } = this.#parts;
    const leaseUntil = connection.pulse.freshSince + leaseWithin(source, lease);
    const delivery = toDelivery(message, source, { leaseUntil, restartedAt: connection.restartedAt });
    // What a server delivers again that has lost its place is here already.
    if (!source.isNew(tokenOf(delivery).sequence) && this.#holdings.hasOther(delivery)) return;
    if (this.#state === "open" && this.#holdings.owned + this.#holdings.buffered < window) {
      this.#holdings.buffer(delivery);
      this.hear();
      if (this.#taking === undefined) this.#keepForAWhile();
    } else {
      void this.#handBack([delivery]);
    }
  }

  /** To be told that there is a new connection. */
  reconnect(): void {
    for (const source of this.#sources.values()) source.reconnect();
    this.hear();
  }

  /** To be told that something may have changed. */
  hear(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** Ends take for good: what no retry mends. */
  fail(fault: unknown): void {
    this.#fault = fault;
    this.hear();
  }

  async #take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    for (;;) {
      if (this.#state === "closed") throw new ClosedError("The consumer");
      const wanted = Math.min(max, this.#parts.window - this.#holdings.owned);
      if (wanted <= 0 || this.#state === "stopped") return [];
      if (signal.aborted) {
        // What is on its way to it comes, or does not, before anything else is done.
        await Promise.all([...this.#sources.values()].map((source) => source.settled()));
        const last = this.#handOut(wanted);
        await this.#handBack(this.#holdings.emptyBuffer());
        return last;
      }
      if (this.#fault !== undefined) throw this.#fault;
      const news = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#parts.connection.isConnected && this.#rest <= 0) await this.#fetch(wanted);
      const taken = this.#state === "open" ? this.#handOut(wanted) : [];
      if (taken.length > 0) return taken;
      const rest = this.#rest;
      if (rest <= 0) this.#waitSoon();
      const awakening = rest > 0 ? setTimeout(() => this.hear(), rest) : undefined;
      await news;
      clearTimeout(awakening);
    }
  }

  /** Milliseconds for which a server that was started anew is left alone, if more than 0. */
  get #rest(): number {
    return this.#parts.connection.restsUntil - monotonicNow();
  }

  #handOut(wanted: number): readonly Delivery[] {
    const taken = this.#holdings.handOut(wanted);
    this.#turns.advance(taken.length);
    return taken;
  }

  /**
   * Buffers up to `wanted` of what is there. Nothing comes by itself afterwards: what a worker does not know to have, it
   * cannot hand back when it meets a task that kills.
   */
  async #fetch(wanted: number): Promise<void> {
    const sources = [...this.#sources.values()];
    const [only] = sources;
    if (sources.length === 1 && only !== undefined) {
      const missing = wanted - this.#holdings.buffered;
      if (missing > 0 && only.isWorthAsking) await only.fetch(missing);
      return;
    }
    await this.#fetchByTurns(wanted - this.#holdings.buffered);
    this.#holdings.sortBuffer((a, b) => bandOrder(b) - bandOrder(a));
  }

  async #fetchByTurns(wanted: number): Promise<void> {
    let missing = wanted;
    for (const { count, order } of this.#turns.plan(wanted)) {
      let share = Math.min(count, missing);
      for (const band of order) {
        const source = this.#sources.get(band);
        if (share <= 0 || source?.isWorthAsking !== true) continue;
        const came = await source.fetch(share);
        share -= came;
        missing -= came;
      }
    }
  }

  /** What another band brings after a take may wait for the next one, but not for long. */
  #keepForAWhile(): void {
    clearTimeout(this.#ageTimer);
    if (this.#holdings.buffered === 0 || this.#state !== "open") return;
    this.#ageTimer = setTimeout(() => void this.#handBack(this.#holdings.emptyBuffer()), longestWait);
  }

  /** What was taken a moment ago, and has ended, goes first: somebody may wait for it. */
  #waitSoon(): void {
    if (this.#waitsSoon) return;
    this.#waitsSoon = true;
    const wait = (): void => {
      this.#waitsSoon = false;
      if (this.#taking?.aborted === false && this.#rest <= 0) this.#waitAtServer();
    };
    setImmediate(() => setImmediate(wait));
  }

  /** The first message wakes the take; it tells whether there are more. */
  #waitAtServer(): void {
    if (this.#state !== "open" || this.#holdings.buffered > 0) return;
    for (const source of this.#sources.values()) if (source.outstanding === 0) source.pull(1);
  }

  /** What was asked for and has not come is for others. */
  async #withdraw(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.withdraw()));
  }

  #handBack(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return Promise.resolve();
    const handBack = this.#release(deliveries).finally(() => this.#handBacks.delete(handBack));
    this.#handBacks.add(handBack);
    return handBack;
  }

  async #release(deliveries: readonly Delivery[]): Promise<void> {
    try {
      const results = await this.#parts.settler.settle(deliveries.map((delivery) => ({ kind: "release", delivery })));
      deliveries.forEach((delivery, index) => {
        if (results[index] === "unknown") this.#holdings.giveUp(delivery);
      });
    } catch (error) {
      // Out of reach: their leases end by themselves.
      if (!isTaskferryError(error)) throw error;
    }
  }
}
