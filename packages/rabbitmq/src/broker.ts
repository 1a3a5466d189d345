import {
  type Broker,
  type BrokerAdmin,
  type BrokerCapabilities,
  type BrokerCompanions,
  type BrokerEvent,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  countedLifecycle,
  monotonicNow,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  type Unsubscribe,
} from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { RabbitmqAdmin } from "./admin/admin.ts";
import { RabbitmqConsumer } from "./consume/consumer.ts";
import { readDialling } from "./driver.ts";
import { rabbitmqFanout } from "./fanout/broker.ts";
import { Link } from "./link.ts";
import { Listeners } from "./listeners.ts";
import { checkCount, checkNamespace, type RabbitmqOptions } from "./options.ts";
import { PostOffice } from "./post-office.ts";
import { maxMessageBytes, Publisher } from "./publisher.ts";
import { rabbitmqResults } from "./results/backend.ts";
import { delayStep } from "./topology/delays.ts";
import { Names } from "./topology/names.ts";
import { Topology } from "./topology/topology.ts";

const defaultDeliveryLimit = 20;
/** Milliseconds that a delayed message may spend between the levels of delays. */
const hopping = 200;

/**
 * A broker on quorum queues of RabbitMQ 3.10 or later: at least once, to one worker, with delays, priority bands and dead
 * letters. The README says what durability means there, and what it needs on the server.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`; ConfigurationError `URL_INVALID`.
 */
export function rabbitmq(options: RabbitmqOptions = {}): Broker {
  return new RabbitmqBroker(options);
}

class RabbitmqBroker implements Broker {
  readonly name = "rabbitmq";
  readonly contract = 1;
  readonly capabilities = capabilities;
  readonly admin: BrokerAdmin;
  readonly companions: BrokerCompanions;
  readonly #names: Names;
  /** Apart, since a server that is out of memory reads nothing from a connection that publishes: not even acks. */
  readonly #publishing: Link;
  readonly #consuming: Link;
  readonly #office: PostOffice;
  readonly #publisher: Publisher;
  readonly #consumed: Topology;
  readonly #consumers = new Set<RabbitmqConsumer>();
  readonly #listeners = new Listeners();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: RabbitmqOptions) {
    const dialling = readDialling(options);
    const { deliveryLimit = defaultDeliveryLimit, maxLength } = options;
    this.#names = new Names(checkNamespace(options.namespace));
    const declared = {
      names: this.#names,
      declares: options.declare ?? true,
      deliveryLimit: checkCount("deliveryLimit", deliveryLimit, 2),
      maxLength: maxLength === undefined ? undefined : checkCount("maxLength", maxLength, 1),
    };
    this.#publishing = new Link(dialling, {
      onUp: (model) => this.#office.open(model),
      onDown: (error) => this.#listeners.disconnected(error),
      onBlocked: (reason) => this.#onBlocked(reason),
      onChange: () => this.#onChange(),
    });
    this.#consuming = new Link(dialling, {
      onDown: (error) => this.#listeners.disconnected(error),
      onRefused: (error) => this.#onRefused(error),
      onChange: (model) => this.#onChange(model),
    });
    this.#office = new PostOffice(this.#publishing);
    this.#publisher = new Publisher({
      link: this.#publishing,
      office: this.#office,
      topology: new Topology(this.#publishing, declared),
      names: this.#names,
    });
    this.#consumed = new Topology(this.#consuming, declared);
    this.admin = new RabbitmqAdmin({ link: this.#consuming, names: this.#names });
    this.companions = {
      results: () => rabbitmqResults(options),
      broadcast: () => rabbitmqFanout(options),
    };
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
    const consumer: RabbitmqConsumer = new RabbitmqConsumer({
      queue,
      window,
      names: this.#names,
      link: this.#consuming,
      topology: this.#consumed,
      publisher: this.#publisher,
      warn: (message) => this.#listeners.tell({ type: "warning", message }),
      onClose: () => this.#consumers.delete(consumer),
    });
    await consumer.open(await this.#consuming.up(monotonicNow() + this.#consuming.dialling.timeout));
    this.#consumers.add(consumer);
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  async #open(): Promise<void> {
    await Promise.all([this.#publishing.open(), this.#consuming.open()]).catch(async (error: unknown) => {
      await this.#closeLinks();
      throw error;
    });
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#closeLinks();
    this.#listeners.closed();
  }

  async #closeLinks(): Promise<void> {
    this.#office.close();
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
  }

  #onChange(model?: ChannelModel): void {
    if (model !== undefined) for (const consumer of this.#consumers) consumer.resume(model);
    if (this.#publishing.isUp && this.#consuming.isUp) this.#listeners.connected();
  }

  #onBlocked(reason: string | undefined): void {
    this.#office.wake();
    this.#listeners.tell(reason === undefined ? { type: "unblocked" } : { type: "blocked", reason });
  }

  #onRefused(error: Error): void {
    for (const consumer of this.#consumers) consumer.fail(error);
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The broker rabbitmq");
  }
}

const capabilities: BrokerCapabilities = {
  delivery: "at-least-once",
  receivers: "one",
  durable: "native",
  delay: "emulated",
  delayResolution: delayStep + hopping,
  priority: "emulated",
  ordering: "native",
  redelivery: "native",
  lease: "refused",
  deliveryCount: "native",
  deadLetters: "emulated",
  dedupe: "refused",
  dedupeWindow: 0,
  inspection: "emulated",
  inspects: ["dead"],
  maxMessageBytes,
};
