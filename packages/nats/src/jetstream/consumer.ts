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
import { toDelivery, tokenOf } from "./delivery.ts";
import type { Band } from "./layout.ts";
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

/** Milliseconds after a take that got nothing until others get what it had asked for. */
const idleLimit = 200;

/** Receives from one queue: pulls from its bands, buffers what comes, renews what it buffers. */
export class JetStreamConsumer implements Consumer {
  readonly #parts: JetStreamConsumerParts;
  readonly #sources = new Map<Band, Source>();
  readonly #turns = new BandTurns();
  readonly #held = new Set<Delivery>();
  #buffer: Delivery[] = [];
  #state: "open" | "stopped" | "closed" = "open";
  #fault: unknown;
  #wake: (() => void) | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  readonly #beat: NodeJS.Timeout;
  #isRenewing = false;

  constructor(parts: JetStreamConsumerParts) {
    this.#parts = parts;
    this.#beat = setInterval(() => this.#keepLeases(), Math.max(20, Math.min(1_000, parts.lease / 4)));
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
    this.#news();
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    clearTimeout(this.#idleTimer);
    const onAbort = (): void => this.#news();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await this.#take(max, signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (this.#state === "open") this.#idleTimer = setTimeout(() => void this.#leaveToOthers(), idleLimit);
    }
  }

  async extend(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const now = monotonicNow();
    const lost = deliveries.filter((delivery) => !this.#owns(delivery, now));
    const own = deliveries.filter((delivery) => this.#owns(delivery, now));
    const since = monotonicNow();
    const items = own.map((delivery) => ({ token: tokenOf(delivery), verb: "+WPI" }) as const);
    const answers = await this.#parts.settler.confirm(items);
    if (answers.includes("unknown")) throw this.#parts.connection.unavailable("renewals were not answered", true);
    own.forEach((delivery, index) => {
      if (answers[index] !== "settled" || !this.#held.has(delivery) || !this.#renew(delivery, since)) lost.push(delivery);
    });
    for (const delivery of lost) this.#held.delete(delivery);
    return lost;
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const now = monotonicNow();
    const results: SettleResult[] = settlements.map(({ delivery }) => (this.#owns(delivery, now) ? "unknown" : "lost"));
    const own = settlements.flatMap((_, index) => (results[index] === "unknown" ? [index] : []));
    if (own.length > 0) {
      const answers = await this.#parts.settler.settle(own.map((index) => settlements[index] as Settlement));
      own.forEach((index, position) => {
        results[index] = answers[position] as SettleResult;
      });
    }
    settlements.forEach(({ delivery }, index) => {
      if (results[index] !== "unknown") this.#held.delete(delivery);
    });
    this.#news();
    return results;
  }

  async stop(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "stopped";
    clearTimeout(this.#idleTimer);
    this.#news();
    await Promise.all([...this.#sources.values()].map((source) => source.withdraw()));
    await this.#handBack(this.#buffer.splice(0));
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    await this.stop();
    this.#state = "closed";
    clearInterval(this.#beat);
    this.#giveUp([...this.#held]);
    this.#held.clear();
    this.#news();
    this.#parts.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A delivery that this consumer has, handed out or not. */
  find(isMeant: (delivery: Delivery) => boolean): Delivery | undefined {
    return [...this.#held].find(isMeant) ?? this.#buffer.find(isMeant);
  }

  /** To be told of a message that was pulled. */
  receive(message: Msg, source: Source): void {
    const { connection, lease, window } = this.#parts;
    const delivery = toDelivery(message, source, connection.pulse.freshSince + lease);
    const isWanted = this.#state === "open" && this.#held.size + this.#buffer.length < window;
    if (!isWanted) {
      void this.#handBack([delivery]);
      return;
    }
    this.#buffer.push(delivery);
    this.#news();
  }

  /** To be told that something may have changed. */
  hear(): void {
    this.#news();
  }

  /** Ends take for good: what no retry mends. */
  fail(fault: unknown): void {
    this.#fault = fault;
    this.#news();
  }

  async #take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    for (;;) {
      if (this.#state === "closed") throw new ClosedError("The consumer");
      const wanted = Math.min(max, this.#parts.window - this.#held.size);
      if (wanted <= 0 || this.#state === "stopped") return [];
      const taken = this.#handOut(wanted);
      if (taken.length > 0 || signal.aborted) return taken;
      if (this.#fault !== undefined) throw this.#fault;
      const news = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#parts.connection.isConnected) await this.#ask(wanted);
      if (this.#buffer.length === 0) await news;
    }
  }

  #handOut(wanted: number): readonly Delivery[] {
    const now = monotonicNow();
    const taken: Delivery[] = [];
    while (taken.length < wanted) {
      const delivery = this.#buffer.shift();
      if (delivery === undefined) break;
      // Its lease has ended in here; it comes again.
      if ((delivery.leaseUntil ?? 0) <= now) continue;
      this.#held.add(delivery);
      taken.push(delivery);
    }
    this.#turns.advance(taken.length);
    return taken;
  }

  async #ask(wanted: number): Promise<void> {
    const sources = [...this.#sources.values()];
    const [only] = sources;
    if (sources.length === 1 && only !== undefined) {
      const missing = wanted - only.outstanding;
      if (missing > 0) only.pull(missing);
      return;
    }
    // What still waits at a band would come on top.
    await Promise.all(sources.map((source) => (source.outstanding > 0 ? source.withdraw() : undefined)));
    let missing = wanted - this.#buffer.length;
    for (const { count, order } of this.#turns.plan(missing)) {
      let share = Math.min(count, missing);
      for (const band of order) {
        const source = this.#sources.get(band);
        if (share <= 0 || source === undefined) continue;
        const came = await source.fetch(share);
        share -= came;
        missing -= came;
      }
    }
    this.#buffer.sort((a, b) => bandOrder(b) - bandOrder(a));
    if (this.#buffer.length === 0) for (const source of sources) source.pull(1);
  }

  #owns(delivery: Delivery, now: number): boolean {
    const { source, incarnation } = tokenOf(delivery);
    return this.#held.has(delivery) && (delivery.leaseUntil ?? 0) > now && source.incarnation === incarnation;
  }

  /** Nobody takes here any more: what was asked for and has not come is for others. */
  async #leaveToOthers(): Promise<void> {
    await Promise.all([...this.#sources.values()].map((source) => source.withdraw()));
  }

  async #handBack(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.length === 0) return;
    const { settler } = this.#parts;
    try {
      const results = await settler.settle(deliveries.map((delivery) => ({ kind: "release", delivery })));
      this.#giveUp(deliveries.filter((_, index) => results[index] === "unknown"));
    } catch (error) {
      // Out of reach: their leases end by themselves.
      if (!isTaskferryError(error)) throw error;
    }
  }

  /** They come again at once, and count as delivered. */
  #giveUp(deliveries: readonly Delivery[]): void {
    const { connection } = this.#parts;
    const now = monotonicNow();
    for (const delivery of deliveries) {
      const { ack, source, incarnation } = tokenOf(delivery);
      if (!connection.isConnected || (delivery.leaseUntil ?? 0) <= now || source.incarnation !== incarnation) continue;
      connection.driver.publish(ack, "-NAK");
    }
  }

  #keepLeases(): void {
    const now = monotonicNow();
    const ended = [...this.#held].filter((delivery) => (delivery.leaseUntil ?? 0) <= now);
    for (const delivery of ended) {
      this.#held.delete(delivery);
      this.#endOnServer(delivery);
    }
    void this.#renewBuffered();
    // A request that was lost is made again.
    this.#news();
  }

  /** Where others have longer leases, the server would wait for as long as theirs. */
  #endOnServer(delivery: Delivery): void {
    const { connection, lease } = this.#parts;
    const { ack, source, incarnation } = tokenOf(delivery);
    const isEarly = source.ackWait - lease > connection.timeout + 2_000;
    if (isEarly && connection.isConnected && source.incarnation === incarnation) connection.driver.publish(ack, "-NAK");
  }

  async #renewBuffered(): Promise<void> {
    const since = monotonicNow();
    const ending = this.#buffer.filter(({ leaseUntil = 0 }) => leaseUntil - since < (this.lease * 2) / 3);
    if (ending.length === 0 || this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      const items = ending.map((delivery) => ({ token: tokenOf(delivery), verb: "+WPI" }) as const);
      const answers = await this.#parts.settler.confirm(items);
      ending.forEach((delivery, index) => {
        if (answers[index] === "settled") this.#renew(delivery, since);
      });
    } catch (error) {
      // Out of reach: the next beat tries again.
      if (!isTaskferryError(error)) throw error;
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Whether it is renewed: an answer that came after the end says nothing of when the server heard. */
  #renew(delivery: Delivery, since: number): boolean {
    if ((delivery.leaseUntil ?? 0) <= monotonicNow()) return false;
    delivery.leaseUntil = since + this.lease;
    return true;
  }

  #news(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function bandOrder(delivery: Delivery): number {
  return Number(tokenOf(delivery).source.durable.name.at(-1));
}
