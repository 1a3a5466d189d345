import { setTimeout as wait } from "node:timers/promises";
import {
  ClosedError,
  type Consumer,
  type Delivery,
  monotonicNow,
  type Settlement,
  type SettleResult,
} from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { classify, isFinal, toBrokerError } from "../faults.ts";
import type { Link } from "../link.ts";
import type { Publisher } from "../publisher.ts";
import type { Names } from "../topology/names.ts";
import { longestDeclaring, type Topology } from "../topology/topology.ts";
import { AgeTimer } from "./age-timer.ts";
import { heldOf, toDelivery } from "./delivery.ts";
import { demand, fetchFew, mostFetched } from "./demand.ts";
import { type Held, Intake } from "./intake.ts";
import { Picker } from "./picker.ts";
import { releaseErrand, settleAll } from "./settling.ts";
import { Turns } from "./turns.ts";
import { Wakeable } from "./wakeable.ts";

export interface ConsumerParts {
  readonly queue: string;
  readonly window: number;
  readonly names: Names;
  readonly link: Link;
  readonly topology: Topology;
  readonly publisher: Publisher;
  readonly warn: (message: string) => void;
  readonly onClose: () => void;
}

/** Milliseconds that what was fetched may wait for a take. */
const longestWait = 100;
/** Milliseconds that a lower band lets a lively one go first. */
const courtesy = 12;
const longestPause = 5_000;
/** From which delivery on a message is suspected to kill its worker. */
const suspicious = 3;
/** Milliseconds that an aborted take may last. */
const longestFarewell = 1_000;

export class RabbitmqConsumer implements Consumer {
  /** Many: an answer comes behind all that the server is sending, and the acknowledgements meanwhile are gathered here. */
  readonly settlesAtOnce = 64;
  readonly #parts: ConsumerParts;
  readonly #turns = new Turns();
  readonly #picker = new Picker(this.#turns);
  readonly #wakeable = new Wakeable();
  readonly #age: AgeTimer;
  #intake: Intake | undefined;
  #state: "open" | "stopped" | "closed" = "open";
  #failure: Error | undefined;
  /** After something was handed back, little is asked for, until there is more demand. */
  #isCautious = false;
  #quieting: Promise<void> | undefined;
  #opening: Promise<void> | undefined;
  #model: ChannelModel | undefined;
  #taking: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.#age = new AgeTimer(longestWait, () => void this.#quiet());
  }

  /** Opens a channel on a connection, the first one or the next. Rejects on what waiting does not mend. */
  async open(model: ChannelModel): Promise<void> {
    const { topology, queue } = this.#parts;
    this.#model = model;
    await topology.queue(model, queue);
    const intake: Intake = await Intake.open({
      link: this.#parts.link,
      model,
      nameOf: (band) => this.#parts.names.queue(queue, band),
      onArrival: () => this.#wakeable.wake(),
      onCancelled: () => this.#repair(model),
      onLost: (error) => this.#onLost(intake, error),
    });
    if (this.#state !== "open") return intake.close();
    this.#intake = intake;
    this.#isCautious = false;
    this.#wakeable.wake();
  }

  /** To be told of each new connection. */
  resume(model: ChannelModel): void {
    this.#model = model;
    if (this.#state === "open") this.#reopen();
  }

  /** To be told that the server refuses us for good. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wakeable.wake();
  }

  take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const taking = this.#take(max, signal);
    this.#taking = taking.catch(() => undefined);
    return taking;
  }

  async #take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    this.#age.stop();
    try {
      for (;;) {
        if (this.#state === "closed") throw new ClosedError("The consumer");
        if (this.#failure !== undefined) throw this.#failure;
        const room = Math.min(max, this.#parts.window - (this.#intake?.taken ?? 0));
        if (signal.aborted) return await this.#nothingMore([]);
        if (this.#state === "stopped" || room <= 0) return [];
        const picked = this.#pick(room);
        if (picked.some(({ deliveryCount = 1 }) => deliveryCount >= suspicious)) return await this.#nothingMore(picked);
        if (picked.length > 0) return picked;
        await this.#await(room, signal);
      }
    } finally {
      if (this.#intake !== undefined && this.#intake.buffered > 0 && this.#state === "open") this.#age.start();
    }
  }

  async extend(): Promise<readonly Delivery[]> {
    return [];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const { queue, names, publisher, link } = this.#parts;
    // What is handed back must not come in again at once.
    if (this.#state === "open" && settlements.some(({ kind }) => kind === "release")) await this.#quiet();
    const intake = this.#intake;
    const isMine = (held: Held): boolean => held.intake === intake && intake.isAlive;
    // The first delayed retry declares what delays need.
    const deadline = monotonicNow() + Math.max(link.dialling.timeout, longestDeclaring);
    const results = await settleAll(settlements, { queue, names, publisher, isMine }, deadline);
    settlements.forEach(({ delivery }, index) => {
      const held = heldOf(delivery);
      if (results[index] !== "unknown") held.intake.putDown(held);
    });
    this.#wakeable.wake();
    return results;
  }

  stop(): Promise<void> {
    if (this.#state === "open") this.#state = "stopped";
    this.#age.stop();
    this.#wakeable.wake();
    // A take that is under way may still fetch something.
    this.#stopping ??= this.#quiet()
      .then(() => this.#taking)
      .then(() => this.#quiet());
    return this.#stopping;
  }

  async close(): Promise<void> {
    await this.stop();
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#wakeable.wake();
    const intake = this.#intake;
    this.#intake = undefined;
    this.#parts.onClose();
    await intake?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Keeps nothing here beside what is taken: who aborts a take wants no more, and a message that may kill its worker must
   * not take along what only waits.
   */
  async #nothingMore(taken: readonly Delivery[]): Promise<readonly Delivery[]> {
    const patience = new AbortController();
    const late = wait(longestFarewell, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#quiet(), late]);
    patience.abort();
    return taken;
  }

  #pick(room: number): readonly Delivery[] {
    const picked = this.#intake === undefined ? [] : this.#picker.pick(this.#intake, room);
    return picked.map(toDelivery);
  }

  async #await(room: number, signal: AbortSignal): Promise<void> {
    if (this.#quieting !== undefined) return this.#quieting;
    const intake = this.#intake;
    if (intake === undefined) return this.#wakeable.wait(signal);
    if (intake.buffered > 0) {
      await this.#wakeable.wait(signal, courtesy);
      this.#picker.waitedInVain(intake);
      return;
    }
    try {
      if (
        this.#isCautious &&
        !intake.isSubscribed &&
        room <= mostFetched &&
        (await fetchFew(intake, room, this.#turns))
      )
        return;
      this.#isCautious = false;
      await demand(intake, { room, window: this.#parts.window, wakeable: this.#wakeable, signal });
    } catch (error) {
      // The channel tells by itself that it is gone.
      if (intake.isAlive && !isPassing(error)) throw error;
      await this.#wakeable.wait(signal, longestWait);
    }
  }

  /** Ends the subscriptions, and hands back what was fetched and not taken. */
  #quiet(): Promise<void> {
    const intake = this.#intake;
    if (intake === undefined || (!intake.isSubscribed && intake.buffered === 0))
      return this.#quieting ?? Promise.resolve();
    this.#quieting ??= this.#handBack(intake)
      .catch(() => undefined)
      .finally(() => {
        this.#quieting = undefined;
        this.#wakeable.wake();
      });
    return this.#quieting;
  }

  async #handBack(intake: Intake): Promise<void> {
    const { publisher, queue, names, link } = this.#parts;
    this.#isCautious = true;
    await intake.unsubscribe();
    const buffered = intake.takeBuffered();
    if (buffered.length === 0) return;
    const errands = buffered.map((held) => releaseErrand(held, queue, names));
    // Without an answer they are given back in a way that counts: a slow server gets its time.
    const deadline = monotonicNow() + Math.max(link.dialling.timeout, longestDeclaring);
    const fates = await publisher.carry(errands, deadline).catch(() => []);
    if (!intake.isAlive) return;
    intake.ack(buffered.filter((_, index) => fates[index] === "confirmed"));
    for (const [index, held] of buffered.entries()) if (fates[index] !== "confirmed") intake.giveBack(held);
    await intake.confirm();
  }

  #onLost(intake: Intake, error: Error | undefined): void {
    if (this.#intake !== intake) return;
    this.#intake = undefined;
    this.#wakeable.wake();
    const fault = error === undefined ? undefined : classify(error);
    // A queue was deleted while nobody was subscribed to it.
    if (fault === "missing") this.#parts.topology.forget();
    if (fault === "held too long") {
      this.#parts.warn(
        `RabbitMQ took back what a worker of the queue ${this.#parts.queue} held, since one delivery was not settled within its consumer_timeout. Tasks that take so long may run twice: raise consumer_timeout above the longest task.`,
      );
    }
    if (this.#state === "open") this.#reopen();
  }

  /** Declares again what was deleted, and has the next take subscribe. */
  #repair(model: ChannelModel): void {
    const { topology, queue } = this.#parts;
    topology.forget();
    void this.#persist(async () => {
      await topology.queue(model, queue);
      const intake = this.#intake;
      if (intake?.isSubscribed) await intake.unsubscribe();
    });
  }

  #reopen(): void {
    this.#opening ??= this.#persist(() => this.open(this.#model as ChannelModel)).finally(() => {
      this.#opening = undefined;
    });
  }

  /** Tries until it succeeds or the connection is gone: the next one begins anew. */
  async #persist(work: () => Promise<void>): Promise<void> {
    for (let pause = 50; this.#state === "open"; pause = Math.min(2 * pause, longestPause)) {
      try {
        await work();
        this.#wakeable.wake();
        return;
      } catch (error) {
        if (isFinal(error)) return this.fail(toBrokerError(error, this.#parts.link.dialling.address));
        if (!this.#parts.link.isUp) return;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function isPassing(error: unknown): boolean {
  return !isFinal(error);
}
