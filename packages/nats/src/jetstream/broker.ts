import {
  type Broker,
  type BrokerCapabilities,
  type BrokerEvent,
  BrokerListeners,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  countedLifecycle,
  type Delivery,
  monotonicNow,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  parseDuration,
  type Unsubscribe,
} from "@taskferry/core";
import { Api } from "../api.ts";
import { ServerClock } from "../clock.ts";
import { Connection } from "../connection.ts";
import { natsFanout } from "../core/broker.ts";
import { defaultMaxMessageBytes, type NatsOptions, readCount, readNamespace } from "../options.ts";
import { natsResults } from "../results/backend.ts";
import { natsState } from "../state/store.ts";
import { ensureStream, nanoseconds, type StreamConfig } from "../streams.ts";
import { JetStreamAdmin } from "./admin.ts";
import { JetStreamConsumer } from "./consumer.ts";
import { tokenOf } from "./delivery.ts";
import { Layout } from "./layout.ts";
import { Mover } from "./mover.ts";
import { Publisher } from "./publisher.ts";
import { Queues } from "./queues.ts";
import { Schedules } from "./schedules.ts";
import { Settler } from "./settler.ts";
import { WorkedQueue } from "./worked-queue.ts";

/**
 * A broker on JetStream: at least once, to one worker, with leases, delays, priority bands and dead letters. NATS 2.9.4
 * or later, alone or as a cluster. The README says what durability means there, and what JetStream cannot do.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function nats(options: NatsOptions = {}): Broker {
  return new JetStreamBroker(options);
}

class JetStreamBroker implements Broker {
  readonly name = "nats";
  readonly contract = 1;
  readonly capabilities: BrokerCapabilities;
  readonly admin: JetStreamAdmin;
  readonly companions = {
    results: () => natsResults(this.#options),
    state: () => natsState(this.#options),
    broadcast: () => natsFanout(this.#options),
  };
  readonly #options: NatsOptions;
  readonly #layout: Layout;
  readonly #dedupeWindow: number;
  readonly #connection: Connection;
  readonly #api: Api;
  readonly #clock: ServerClock;
  readonly #queues: Queues;
  readonly #schedules: Schedules;
  readonly #publisher: Publisher;
  readonly #worked = new Map<string, WorkedQueue>();
  readonly #movers = new Map<string, Mover>();
  readonly #consumers = new Set<JetStreamConsumer>();
  readonly #listeners = new BrokerListeners();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });
  #isFull = false;

  constructor(options: NatsOptions) {
    this.#options = options;
    this.#layout = new Layout(readNamespace(options));
    this.#dedupeWindow = Math.max(100, parseDuration(options.dedupeWindow ?? "2m", "dedupeWindow"));
    const maxMessageBytes = readCount("maxMessageBytes", options.maxMessageBytes) ?? defaultMaxMessageBytes;
    this.#connection = new Connection(options, {
      onConnected: () => this.#onConnected(),
      onDisconnected: (error) => this.#listeners.tell({ type: "disconnected", error }),
    });
    const connection = this.#connection;
    const layout = this.#layout;
    this.#api = new Api(connection, options.apiPrefix);
    const api = this.#api;
    this.#clock = new ServerClock(api, layout.deadStream);
    this.#queues = new Queues({ connection, api, layout, onDelays: (queue) => void this.#startMover(queue) });
    this.#schedules = new Schedules({
      api,
      layout,
      clock: this.#clock,
      isWanted: options.nativeDelay ?? true,
      onRefused: (message) => this.#listeners.tell({ type: "warning", message }),
    });
    this.#publisher = new Publisher({
      connection,
      layout,
      queues: this.#queues,
      schedules: this.#schedules,
      maxMessageBytes,
      onFull: (isFull) => this.#tellFull(isFull),
    });
    this.capabilities = describe(this.#dedupeWindow, maxMessageBytes);
    this.admin = new JetStreamAdmin({ api, layout, leaseEnd: (sequence) => this.#leaseEnd(sequence) });
  }

  connect(): Promise<void> {
    return this.#lifecycle.connect();
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async publish(messages: readonly OutgoingMessage[], { timeout }: PublishOptions): Promise<readonly PublishResult[]> {
    this.#checkOpen();
    return this.#publisher.publish(messages, timeout);
  }

  async consume(queue: string, { window, lease }: ConsumeOptions): Promise<Consumer> {
    this.#checkOpen();
    const worked = this.#workedQueue(queue);
    const settler = new Settler({
      connection: this.#connection,
      layout: this.#layout,
      publisher: this.#publisher,
      queue,
    });
    const consumer: JetStreamConsumer = new JetStreamConsumer({
      window,
      lease,
      connection: this.#connection,
      settler,
      openSource: (band, own) => worked.openSource(band, own),
      onClose: () => this.#forget(queue, consumer),
    });
    this.#consumers.add(consumer);
    try {
      await worked.join(consumer);
    } catch (error) {
      await consumer.close();
      throw error;
    }
    this.#startMover(queue).workHere();
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  async #open(): Promise<void> {
    await this.#connection.open();
    try {
      await this.#ensureStreams();
      this.#checkPayload();
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([...this.#movers.values()].map((mover) => mover.stop()));
    this.#movers.clear();
    this.#queues.forget();
    await this.#connection.close();
    this.#listeners.tell({ type: "disconnected", error: undefined });
  }

  async #ensureStreams(): Promise<void> {
    const { stream, deadStream, subjects, deadSubjects } = this.#layout;
    const { replicas, maxBytes, storage = "file", dedupeWindow } = this.#options;
    const common = { discard: "new", storage, num_replicas: readCount("replicas", replicas) ?? 1 } as const;
    const duplicates = this.#dedupeWindow * nanoseconds;
    const copies = { ...(replicas !== undefined && { num_replicas: replicas }) };
    const live: StreamConfig = {
      ...common,
      name: stream,
      subjects,
      retention: "workqueue",
      max_bytes: readCount("maxBytes", maxBytes) ?? -1,
      duplicate_window: duplicates,
    };
    const wanted = {
      ...copies,
      ...(maxBytes !== undefined && { max_bytes: maxBytes }),
      ...(dedupeWindow !== undefined && { duplicate_window: duplicates }),
    };
    await ensureStream(this.#api, live, wanted);
    const dead: StreamConfig = {
      ...common,
      name: deadStream,
      subjects: deadSubjects,
      retention: "limits",
      max_bytes: -1,
      duplicate_window: duplicates,
    };
    await ensureStream(this.#api, dead, copies);
    await this.#schedules.enable(this.#connection.driver.info?.version ?? "");
  }

  #checkPayload(): void {
    const most = this.#connection.driver.info?.max_payload ?? 0;
    const { maxMessageBytes } = this.capabilities;
    if (most >= maxMessageBytes) return;
    const message = `NATS at ${this.#connection.address} takes messages of at most ${most} bytes (max_payload), this broker is set up for ${maxMessageBytes}. Raise max_payload, or lower \`maxMessageBytes\`.`;
    this.#listeners.tell({ type: "warning", message });
  }

  #workedQueue(queue: string): WorkedQueue {
    const known = this.#worked.get(queue);
    if (known !== undefined) return known;
    const worked = new WorkedQueue({
      queue,
      connection: this.#connection,
      api: this.#api,
      layout: this.#layout,
      ensureStreams: () => this.#ensureStreams(),
    });
    this.#worked.set(queue, worked);
    return worked;
  }

  #forget(queue: string, consumer: JetStreamConsumer): void {
    this.#consumers.delete(consumer);
    const worked = this.#worked.get(queue);
    worked?.leave(consumer);
    if (worked?.isIdle === true) this.#worked.delete(queue);
  }

  #startMover(queue: string): Mover {
    const known = this.#movers.get(queue);
    if (known !== undefined) return known;
    const [connection, api, layout] = [this.#connection, this.#api, this.#layout];
    const [publisher, clock, schedules] = [this.#publisher, this.#clock, this.#schedules];
    const mover = new Mover({ queue, connection, api, layout, publisher, clock, schedules });
    this.#movers.set(queue, mover);
    return mover;
  }

  #onConnected(): void {
    this.#clock.forget();
    for (const worked of this.#worked.values()) worked.repair();
    for (const mover of this.#movers.values()) mover.hear();
    for (const consumer of this.#consumers) consumer.reconnect();
    this.#listeners.tell({ type: "connected" });
  }

  #leaseEnd(sequence: number): number | undefined {
    for (const consumer of this.#consumers) {
      const own = consumer.find((delivery: Delivery) => tokenOf(delivery).sequence === sequence);
      if (own?.leaseUntil !== undefined) return Math.round(Date.now() + own.leaseUntil - monotonicNow());
    }
    return undefined;
  }

  #tellFull(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    const reason = `The stream ${this.#layout.stream} has no room.`;
    this.#listeners.tell(isFull ? { type: "blocked", reason } : { type: "unblocked" });
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The broker nats");
  }
}

function describe(dedupeWindow: number, maxMessageBytes: number): BrokerCapabilities {
  return {
    delivery: "at-least-once",
    receivers: "one",
    durable: "native",
    delay: "emulated",
    // A server that keeps what is delayed looks four times a second.
    delayResolution: 250,
    priority: "emulated",
    ordering: "native",
    redelivery: "native",
    lease: "native",
    deliveryCount: "emulated",
    deadLetters: "emulated",
    dedupe: "native",
    dedupeWindow,
    inspection: "native",
    maxMessageBytes,
  };
}
