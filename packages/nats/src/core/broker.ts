import {
  type Broker,
  type BrokerCapabilities,
  type BrokerCompanions,
  type BrokerEvent,
  BrokerListeners,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  countedLifecycle,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  type Unsubscribe,
} from "@taskferry/core";
import { Connection } from "../connection.ts";
import { defaultMaxMessageBytes, type NatsCoreOptions, readCount, readNamespace } from "../options.ts";
import { within } from "../within.ts";
import { CoreConsumer } from "./consumer.ts";
import { CorePublisher } from "./publisher.ts";

/**
 * A broker on NATS without JetStream: at most once, to one of the workers that listen. It keeps nothing; a publish that
 * nobody listens to is refused with `NO_RECEIVERS`.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function natsCore(options: NatsCoreOptions = {}): Broker {
  return new CoreBroker(options, {
    name: "nats-core",
    receivers: "one",
    companions: { broadcast: () => natsFanout(options) },
  });
}

/**
 * A broker on NATS without JetStream: at most once, to every worker that listens. It keeps nothing; a publish that
 * nobody listens to is refused with `NO_RECEIVERS`.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function natsFanout(options: NatsCoreOptions = {}): Broker {
  return new CoreBroker(options, { name: "nats-fanout", receivers: "every", companions: {} });
}

interface CoreKind {
  readonly name: string;
  readonly receivers: "one" | "every";
  readonly companions: BrokerCompanions;
}

class CoreBroker implements Broker {
  readonly name: string;
  readonly contract = 1;
  readonly capabilities: BrokerCapabilities;
  readonly companions: BrokerCompanions;
  readonly #namespace: string;
  readonly #connection: Connection;
  readonly #publisher: CorePublisher;
  readonly #consumers = new Set<CoreConsumer>();
  readonly #listeners = new BrokerListeners();
  readonly #lifecycle = countedLifecycle({ open: () => this.#connection.open(), shut: () => this.#shut() });

  constructor(options: NatsCoreOptions, { name, receivers, companions }: CoreKind) {
    this.name = name;
    this.companions = companions;
    this.#namespace = readNamespace(options);
    const maxMessageBytes = readCount("maxMessageBytes", options.maxMessageBytes) ?? defaultMaxMessageBytes;
    this.capabilities = describe(receivers, maxMessageBytes);
    this.#connection = new Connection(options, {
      onConnected: () => this.#onConnected(),
      onDisconnected: (error) => this.#listeners.tell({ type: "disconnected", error }),
    });
    const connection = this.#connection;
    this.#publisher = new CorePublisher({ connection, subjectOf: (queue) => this.#subjectOf(queue), maxMessageBytes });
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

  async consume(queue: string, { window }: ConsumeOptions): Promise<Consumer> {
    this.#checkOpen();
    const connection = this.#connection;
    if (!(await connection.whenConnected(connection.timeout))) throw connection.unavailable("there is no connection");
    const consumer: CoreConsumer = new CoreConsumer({
      connection,
      subject: this.#subjectOf(queue),
      group: this.capabilities.receivers === "one" ? "workers" : undefined,
      window,
      onDropped: () =>
        this.#listeners.tell({ type: "gap", reason: `There was no room for a message of the queue ${queue}.` }),
      onClose: () => this.#forget(consumer),
    });
    this.#consumers.add(consumer);
    // Once it has answered, the server knows of the subscription; a connection that breaks subscribes again.
    await within(connection.driver.flush(), connection.timeout);
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#connection.close();
    this.#listeners.tell({ type: "disconnected", error: undefined });
  }

  #forget(consumer: CoreConsumer): void {
    this.#consumers.delete(consumer);
  }

  #onConnected(): void {
    this.#listeners.tell({ type: "connected" });
    if (this.#consumers.size === 0) return;
    this.#listeners.tell({ type: "gap", reason: "Messages that came while there was no connection are gone." });
  }

  /** A queue is one token of a subject, its dots escaped. */
  #subjectOf(queue: string): string {
    const kind = this.capabilities.receivers === "one" ? "core" : "fanout";
    return `${this.#namespace}.${kind}.${queue.replaceAll(".", "=")}`;
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError(`The broker ${this.name}`);
  }
}

function describe(receivers: "one" | "every", maxMessageBytes: number): BrokerCapabilities {
  return {
    delivery: "at-most-once",
    receivers,
    durable: "refused",
    delay: "refused",
    delayResolution: 0,
    priority: "refused",
    ordering: "refused",
    redelivery: "refused",
    lease: "refused",
    deliveryCount: "refused",
    deadLetters: "refused",
    dedupe: "refused",
    dedupeWindow: 0,
    inspection: "refused",
    maxMessageBytes,
  };
}
