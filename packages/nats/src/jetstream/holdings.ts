import { type Delivery, isTaskferryError, monotonicNow, TurnoverMap } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { tokenOf } from "./delivery.ts";
import { leaseWithin } from "./lease-terms.ts";
import type { Settler } from "./settler.ts";

export interface HoldingsParts {
  readonly connection: Connection;
  readonly settler: Settler;
  readonly lease: number;
  /** Told at each beat. */
  readonly onBeat: () => void;
}

/**
 * What a consumer has, handed out or not, and until when. A lease is a promise of ours to its owner; the server knows
 * only the terms of all workers of the queue. Where its terms are shorter, it is told in time; where they are longer, it
 * is told of the end.
 */
export class Holdings {
  readonly #parts: HoldingsParts;
  /** What was handed out, and until when its owner may have it. */
  readonly #owned = new TurnoverMap<Delivery, number>();
  #buffer: Delivery[] = [];
  #beat: NodeJS.Timeout | undefined;
  #isRenewing = false;

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
    this.keepPace(parts.lease);
  }

  /** To be told of the shortest lease that is to be kept. */
  keepPace(lease: number): void {
    clearInterval(this.#beat);
    this.#beat = setInterval(() => this.#look(), Math.max(20, Math.min(1_000, lease / 5)));
  }

  /** Deliveries handed out and not settled. */
  get owned(): number {
    return this.#owned.size;
  }

  get buffered(): number {
    return this.#buffer.length;
  }

  find(isMeant: (delivery: Delivery) => boolean): Delivery | undefined {
    return [...this.#owned.keys()].find(isMeant) ?? this.#buffer.find(isMeant);
  }

  /** Whether the message of a delivery is here already, by an earlier delivery that still holds. */
  hasOther(delivery: Delivery): boolean {
    const { sequence, source, incarnation } = tokenOf(delivery);
    const now = monotonicNow();
    const isSame = (held: Delivery): boolean => {
      const token = tokenOf(held);
      const isOfSame = token.source === source && token.incarnation === incarnation && token.sequence === sequence;
      return isOfSame && (held.leaseUntil ?? 0) > now;
    };
    return this.find(isSame) !== undefined;
  }

  buffer(delivery: Delivery): void {
    this.#buffer.push(delivery);
  }

  sortBuffer(compare: (a: Delivery, b: Delivery) => number): void {
    this.#buffer.sort(compare);
  }

  emptyBuffer(): readonly Delivery[] {
    return this.#buffer.splice(0);
  }

  /** Hands out up to `count` of what is buffered. */
  handOut(count: number): readonly Delivery[] {
    const { lease } = this.#parts;
    const now = monotonicNow();
    const taken: Delivery[] = [];
    const all = this.#buffer;
    let next = 0;
    while (taken.length < count && next < all.length) {
      const delivery = all[next] as Delivery;
      next += 1;
      const { leaseUntil = 0 } = delivery;
      // Its lease has ended in here; it comes again.
      if (leaseUntil <= now) continue;
      this.#owned.set(delivery, leaseUntil + lease - leaseWithin(tokenOf(delivery).source, lease));
      taken.push(delivery);
    }
    this.#buffer = next === all.length ? [] : all.slice(next);
    return taken;
  }

  owns(delivery: Delivery): boolean {
    const { source, incarnation } = tokenOf(delivery);
    return (
      this.#owned.has(delivery) && (delivery.leaseUntil ?? 0) > monotonicNow() && source.incarnation === incarnation
    );
  }

  drop(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#owned.delete(delivery);
  }

  /** Renews what is owned to a whole lease, and answers what is lost. Rejects when the server cannot be asked. */
  async extend(own: readonly Delivery[]): Promise<readonly Delivery[]> {
    const { connection, lease } = this.#parts;
    const since = monotonicNow();
    const renewed = await this.#renew(own, since);
    if (renewed === undefined) throw connection.unavailable("renewals were not answered");
    for (const delivery of renewed) if (this.#owned.has(delivery)) this.#owned.set(delivery, since + lease);
    const lost = own.filter((delivery) => !renewed.has(delivery) || !this.#owned.has(delivery));
    this.drop(lost);
    return lost;
  }

  /** Gives up everything: it comes again at once, and counts as delivered. */
  end(): void {
    clearInterval(this.#beat);
    for (const delivery of [...this.#owned.keys(), ...this.#buffer]) this.giveUp(delivery);
    this.#owned.clear();
    this.#buffer = [];
  }

  giveUp(delivery: Delivery): void {
    const { connection } = this.#parts;
    const { ack, source, incarnation } = tokenOf(delivery);
    const isOurs = (delivery.leaseUntil ?? 0) > monotonicNow() && source.incarnation === incarnation;
    if (isOurs && connection.isConnected) connection.driver.publish(ack, "-NAK");
  }

  #look(): void {
    const { lease, onBeat } = this.#parts;
    const now = monotonicNow();
    for (const delivery of [...this.#owned.keys()]) {
      if ((delivery.leaseUntil ?? 0) > now) continue;
      this.#owned.delete(delivery);
      this.#endOnServer(delivery);
    }
    const ending = [...this.#buffer, ...this.#owned.keys()].filter((delivery) => {
      const left = (delivery.leaseUntil ?? 0) - now;
      const whole = leaseWithin(tokenOf(delivery).source, lease);
      const ownedUntil = this.#owned.get(delivery);
      // A whole lease is renewed by its owner.
      const isOurs = ownedUntil === undefined || (whole < lease && (delivery.leaseUntil ?? 0) < ownedUntil);
      return isOurs && left < (whole * 2) / 3;
    });
    if (ending.length > 0 && !this.#isRenewing) void this.#renewEnding(ending, now);
    onBeat();
  }

  /** Where others have longer leases, the server would wait for as long as theirs. */
  #endOnServer(delivery: Delivery): void {
    const { connection, lease } = this.#parts;
    const { ack, source, incarnation } = tokenOf(delivery);
    const isSafe = source.ackWait - lease > connection.timeout + 2_000;
    if (isSafe && connection.isConnected && source.incarnation === incarnation) connection.driver.publish(ack, "-NAK");
  }

  async #renewEnding(ending: readonly Delivery[], since: number): Promise<void> {
    this.#isRenewing = true;
    try {
      await this.#renew(ending, since);
    } catch (error) {
      // Out of reach: the next beat tries again.
      if (!isTaskferryError(error)) throw error;
    } finally {
      this.#isRenewing = false;
    }
  }

  /** Those that are renewed; undefined when the server did not say. An answer after the end says nothing of when it heard. */
  async #renew(deliveries: readonly Delivery[], since: number): Promise<ReadonlySet<Delivery> | undefined> {
    const { settler, lease } = this.#parts;
    const items = deliveries.map((delivery) => ({ token: tokenOf(delivery), verb: "+WPI" }) as const);
    const answers = await settler.confirm(items);
    if (answers.includes("unknown")) return undefined;
    const now = monotonicNow();
    const renewed = deliveries.filter(({ leaseUntil = 0 }, index) => answers[index] === "settled" && leaseUntil > now);
    for (const delivery of renewed) {
      const until = since + leaseWithin(tokenOf(delivery).source, lease);
      delivery.leaseUntil = Math.max(delivery.leaseUntil ?? 0, until);
    }
    return new Set(renewed);
  }
}
