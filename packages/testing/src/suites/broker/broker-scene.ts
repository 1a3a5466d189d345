import { randomUUID } from "node:crypto";
import {
  type Broker,
  type BrokerAdmin,
  type BrokerCapabilities,
  type Consumer,
  type Delivery,
  type Message,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
  type QueueSection,
  type Settlement,
} from "@taskferry/core";
import { expect } from "vitest";
import type { ConnectableScene } from "../connectable.ts";
import { isSettled, within } from "../patience.ts";
import { Processes } from "../processes.ts";
import type { BrokerHarness } from "./broker-harness.ts";
import { createMessage } from "./messages.ts";

/** Times of a suite in milliseconds. */
export interface BrokerTiming {
  /** The lease of a delivery where the end of a lease is tested. Default 300. */
  readonly lease: number;
  /** How much later than promised something may come on a busy machine. Default 5,000. */
  readonly slack: number;
  /** The longest that any call but `take` may last while the server is out of reach. Default 15,000. */
  readonly callTimeout: number;
  /** How long nothing must come before the suite believes that nothing comes. Default 120. */
  readonly quiet: number;
}

interface ConsumerOptions {
  readonly broker?: Broker;
  readonly queue?: string;
  readonly window?: number;
  readonly lease?: number;
}

const sections = ["ready", "delayed", "running", "dead"] as const;

/** Milliseconds for which a busy machine is given the time to bring what is still on its way. */
const longestQuiet = 5_000;

/** A lease that does not end within a test. */
export const longLease = 60_000;

/** One harness, one connected broker and one fresh queue, with the steps that rules are made of. */
export class BrokerScene implements ConnectableScene<Broker> {
  readonly harness: BrokerHarness;
  readonly broker: Broker;
  readonly timing: BrokerTiming;
  readonly queue: string;
  readonly #processes: Processes<Broker>;
  /** Milliseconds of the slowest call so far. */
  #slowest = 0;

  constructor(harness: BrokerHarness, broker: Broker, timing: BrokerTiming) {
    this.harness = harness;
    this.broker = broker;
    this.timing = timing;
    this.queue = this.newQueue();
    this.#processes = new Processes(harness, broker);
  }

  get capabilities(): BrokerCapabilities {
    return this.broker.capabilities;
  }

  /** How late a delivery of something delayed may be. */
  get lateness(): number {
    return this.capabilities.delayResolution + this.timing.slack;
  }

  get admin(): BrokerAdmin {
    if (this.broker.admin === undefined) throw new Error("Expected `admin`, since `inspection` is not refused.");
    return this.broker.admin;
  }

  /** Whether `admin` can look into a section, or list the queues. */
  inspects(what: QueueSection | "queues"): boolean {
    const { inspection, inspects } = this.capabilities;
    return inspection !== "refused" && (inspects?.includes(what) ?? true);
  }

  newQueue(): string {
    return `suite-${randomUUID()}`;
  }

  /** Runs when the test is over, last deferred first. */
  defer(cleanup: () => Promise<unknown>): void {
    this.#processes.defer(cleanup);
  }

  close(): Promise<void> {
    return this.#processes.close();
  }

  /** Another process: a broker value of its own, connected. */
  anotherProcess(): Promise<Broker> {
    return this.#processes.another();
  }

  /** A broker value that is not open. The scene's own is closed before. */
  fresh(): Promise<Broker> {
    return this.#processes.fresh();
  }

  callAll(broker: Broker): Readonly<Record<string, Promise<unknown>>> {
    const message = this.message();
    return {
      publish: broker.publish([{ message }], { timeout: this.timing.callTimeout }),
      consume: broker.consume(this.newQueue(), { window: 1, lease: longLease }).then((consumer) => consumer.close()),
      ...(broker.admin !== undefined && { depth: broker.admin.depth(this.queue) }),
      ...(broker.admin !== undefined && this.inspects("queues") && { queues: broker.admin.queues() }),
    };
  }

  /** A consumer of the scene's queue, with a lease that does not end within the test. */
  async consumer(options: ConsumerOptions = {}): Promise<Consumer> {
    const { broker = this.broker, queue = this.queue, window = 100, lease = longLease } = options;
    const consumer = await broker.consume(queue, { window, lease });
    this.defer(() => consumer.close());
    return consumer;
  }

  /** What nobody listens to may be refused where nothing is kept: sees to it that somebody does. */
  async someoneListens(broker = this.broker): Promise<void> {
    if (this.capabilities.delivery === "at-most-once") await this.consumer({ broker });
  }

  message(fields: Partial<Message> = {}): Message {
    return createMessage({ queue: this.queue, ...fields });
  }

  messages(count: number, fields: Partial<Message> = {}): Message[] {
    return Array.from({ length: count }, () => this.message(fields));
  }

  /** Publishes and answers what the broker answered. */
  async offer(
    messages: readonly (Message | OutgoingMessage)[],
    broker = this.broker,
  ): Promise<readonly PublishResult[]> {
    const outgoing = messages.map((item) => ("message" in item ? item : { message: item }));
    const since = monotonicNow();
    const results = await broker.publish(outgoing, { timeout: this.timing.callTimeout });
    this.#noteCall(since);
    expect(results.length, "one answer per published item").toBe(messages.length);
    return results;
  }

  /** Publishes and expects every message to be accepted. */
  async publish(...messages: readonly (Message | OutgoingMessage)[]): Promise<void> {
    const results = await this.offer(messages);
    const others = results.filter(({ status }) => status !== "accepted");
    expect(others, "answers other than accepted").toEqual([]);
  }

  /** Takes until there are `count` deliveries. */
  async take(consumer: Consumer, count: number, limit = this.timing.slack): Promise<Delivery[]> {
    const taken: Delivery[] = [];
    const signal = AbortSignal.timeout(limit);
    while (taken.length < count) {
      const wanted = count - taken.length;
      const deliveries = await within(consumer.take(wanted, signal), limit + this.timing.slack, "take to end");
      expect(deliveries.length, "deliveries of one take, at most").toBeLessThanOrEqual(wanted);
      taken.push(...deliveries);
      if (taken.length >= count) break;
      if (signal.aborted) throw new Error(`Expected ${count} deliveries within ${limit} ms, got ${taken.length}.`);
      if (deliveries.length === 0) {
        throw new Error(
          `Expected take to wait for ${wanted} more of ${count} deliveries, got [] before it was aborted.`,
        );
      }
    }
    return taken;
  }

  async takeOne(consumer: Consumer, limit?: number): Promise<Delivery> {
    const [delivery] = await this.take(consumer, 1, limit);
    if (delivery === undefined) throw new Error("Expected one delivery.");
    return delivery;
  }

  /**
   * Takes what arrives until nothing has for `quiet` ms, and acks it. A machine that is busy with other things is given
   * more: several times what a call has taken of late.
   */
  async drain(consumer: Consumer, quiet = this.timing.quiet): Promise<Delivery[]> {
    const drained: Delivery[] = [];
    for (;;) {
      const since = monotonicNow();
      const patience = Math.ceil(Math.max(quiet, Math.min(4 * this.#slowest, longestQuiet)));
      const deliveries = await consumer.take(100, AbortSignal.timeout(patience));
      if (deliveries.length === 0) return drained;
      drained.push(...deliveries);
      await this.settle(consumer, ...deliveries.map((delivery): Settlement => ({ kind: "ack", delivery })));
      this.#noteCall(since);
    }
  }

  #noteCall(since: number): void {
    this.#slowest = Math.max(this.#slowest, monotonicNow() - since);
  }

  /** Takes and acks what the queue holds, with a consumer of its own. The first of them may take their time. */
  async drainQueue({ atLeast = 0, quiet = this.timing.quiet } = {}): Promise<Delivery[]> {
    const since = monotonicNow();
    const consumer = await this.broker.consume(this.queue, { window: 100, lease: longLease });
    this.#noteCall(since);
    const first = await this.take(consumer, atLeast);
    await this.ack(consumer, ...first);
    const drained = await this.drain(consumer, quiet);
    await consumer.close();
    return [...first, ...drained];
  }

  /** Expects that nothing can be taken from the queue, for a while, with a consumer of its own. */
  async expectEmpty(why: string, quiet = this.timing.quiet): Promise<void> {
    const consumer = await this.broker.consume(this.queue, { window: 100, lease: longLease });
    await this.expectNothing(consumer, why, quiet);
    await consumer.close();
  }

  /** Expects that nothing is delivered for a while. */
  async expectNothing(consumer: Consumer, why: string, quiet = this.timing.quiet): Promise<void> {
    const deliveries = await consumer.take(10, AbortSignal.timeout(quiet));
    expect(
      deliveries.map(({ message, malformed }) => message ?? malformed),
      why,
    ).toEqual([]);
  }

  /** Expects that something has not ended yet. */
  async expectPending(promise: Promise<unknown>, what = "take"): Promise<void> {
    expect(await isSettled(promise), `${what} has ended already`).toBe(false);
  }

  /** Settles and expects every item to be settled. */
  async settle(consumer: Consumer, ...settlements: readonly Settlement[]): Promise<void> {
    const results = await consumer.settle(settlements);
    expect(results, "answers of settle").toEqual(settlements.map(() => "settled"));
  }

  async ack(consumer: Consumer, ...deliveries: readonly Delivery[]): Promise<void> {
    await this.settle(consumer, ...deliveries.map((delivery): Settlement => ({ kind: "ack", delivery })));
  }

  /** Milliseconds since `start` on the clock of leases. */
  since(start: number): number {
    return monotonicNow() - start;
  }

  /** Expects the queue to hold so many messages and no others, in the sections of which the broker tells. */
  async expectDepth(depth: Partial<Record<QueueSection, number>>): Promise<void> {
    const expected = { ready: 0, delayed: 0, running: 0, dead: 0, ...depth };
    const told = await this.admin.depth(this.queue);
    const untold = sections.filter((section) => told[section] === undefined);
    for (const section of untold) expect(this.inspects(section), `${section} of which depth tells nothing`).toBe(false);
    expect(told, "depth").toEqual({
      ...expected,
      ...Object.fromEntries(untold.map((section) => [section, undefined])),
    });
  }
}
