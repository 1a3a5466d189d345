import {
  type Broker,
  type BrokerCapabilities,
  BrokerError,
  type BrokerEvent,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  countedLifecycle,
  dedupeId,
  defaultPriority,
  encodeMessage,
  type Message,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  type TaskferryError,
  type Unsubscribe,
  UnsupportedCapabilityError,
} from "@taskferry/core";
import type { ChannelModel } from "amqplib";
import { readDialling } from "../driver.ts";
import { Link } from "../link.ts";
import { Listeners } from "../listeners.ts";
import { checkNamespace, type RabbitmqConnectionOptions } from "../options.ts";
import type { Fate, Parcel } from "../parcels.ts";
import { PostOffice } from "../post-office.ts";
import { maxMessageBytes } from "../publisher.ts";
import { Names } from "../topology/names.ts";
import { FanoutConsumer } from "./consumer.ts";

/**
 * A broker that delivers to every worker that listens, once at most, and keeps nothing. Each consumer has a queue of its
 * own that ends with its connection.
 */
export function rabbitmqFanout(options: RabbitmqConnectionOptions = {}): Broker {
  return new FanoutBroker(options);
}

class FanoutBroker implements Broker {
  readonly name = "rabbitmq-fanout";
  readonly contract = 1;
  readonly capabilities = capabilities;
  readonly #names: Names;
  readonly #declares: boolean;
  readonly #publishing: Link;
  readonly #consuming: Link;
  readonly #office: PostOffice;
  readonly #consumers = new Set<FanoutConsumer>();
  readonly #listeners = new Listeners();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: RabbitmqConnectionOptions) {
    const dialling = readDialling(options);
    this.#names = new Names(checkNamespace(options.namespace));
    this.#declares = options.declare ?? true;
    this.#publishing = new Link(dialling, {
      onUp: (model) => this.#onUp(model),
      onDown: (error) => this.#listeners.disconnected(error),
      onBlocked: () => this.#office.wake(),
      onChange: () => this.#onChange(),
    });
    this.#consuming = new Link(dialling, {
      onDown: (error) => this.#listeners.disconnected(error),
      onRefused: (error) => this.#onRefused(error),
      onChange: (model) => this.#onChange(model),
    });
    this.#office = new PostOffice(this.#publishing);
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
    const deadline = monotonicNow() + timeout;
    const refusals = messages.map(refusalOf);
    const parcels = messages
      .filter((_, index) => refusals[index] === undefined)
      .map(({ message }) => this.#parcelOf(message));
    await this.#publishing.up(deadline);
    const fates = await this.#office.send(parcels, deadline);
    if (parcels.length === messages.length && parcels.length > 0 && fates.every((fate) => fate === "unsent"))
      throw this.#unavailable();
    let next = 0;
    return messages.map(({ message }, index) => refusals[index] ?? this.#toResult(fates[next++] as Fate, message));
  }

  async consume(queue: string, { window }: ConsumeOptions): Promise<Consumer> {
    this.#checkOpen();
    const consumer: FanoutConsumer = new FanoutConsumer({
      queue,
      window,
      link: this.#consuming,
      exchange: this.#names.fanout,
      declareExchange: (model) => this.#declare(model),
      onGap: (reason) => this.#listeners.tell({ type: "gap", reason }),
      onClose: () => this.#consumers.delete(consumer),
    });
    await consumer.open(await this.#consuming.up(monotonicNow() + this.#consuming.dialling.timeout));
    this.#consumers.add(consumer);
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  #parcelOf(message: Message): Parcel {
    const bytes = encodeMessage(message);
    return {
      exchange: this.#names.fanout,
      routingKey: message.queue,
      content: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
      options: { mandatory: true, messageId: dedupeId(message) },
    };
  }

  #toResult(fate: Fate, { queue }: Message): PublishResult {
    switch (fate) {
      case "confirmed":
        return { status: "accepted" };
      case "unroutable":
        return { status: "refused", error: nobody(queue) };
      case "refused":
      case "unknown":
      case "unsent":
        return { status: "unknown", error: this.#unavailable() };
    }
  }

  #unavailable(): TaskferryError {
    const { dialling, isUp, isBlocked } = this.#publishing;
    if (!isUp) return this.#publishing.unavailable() as TaskferryError;
    const reason = isBlocked
      ? "takes no messages for now (a memory or disk alarm)"
      : "did not confirm a message in time";
    return new BrokerError("BROKER_UNAVAILABLE", `RabbitMQ at ${dialling.address} ${reason}.`);
  }

  async #onUp(model: ChannelModel): Promise<void> {
    await this.#declare(model);
    await this.#office.open(model);
  }

  async #declare(model: ChannelModel): Promise<void> {
    if (!this.#declares) return;
    const channel = await model.createChannel();
    await channel.assertExchange(this.#names.fanout, "direct", { durable: true });
    await channel.close();
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

  #onRefused(error: Error): void {
    for (const consumer of this.#consumers) consumer.fail(error);
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The broker rabbitmq-fanout");
  }
}

function refusalOf({ message, delay = 0 }: OutgoingMessage): PublishResult | undefined {
  const refuse = (capability: string, wish: string): PublishResult => ({
    status: "refused",
    error: new UnsupportedCapabilityError(capability, `rabbitmq-fanout keeps nothing: publish without ${wish}.`),
  });
  if (delay > 0) return refuse("delay", "a delay");
  if ((message.priority ?? defaultPriority) !== defaultPriority) return refuse("priority", "a priority");
  if (message.body.length <= maxMessageBytes) return undefined;
  const text = `Expected a message of at most ${maxMessageBytes} bytes, got a body of ${message.body.length}. Send a reference to the data.`;
  return { status: "refused", error: new MessageError("MESSAGE_TOO_LARGE", text, { id: message.id }) };
}

function nobody(queue: string): BrokerError {
  return new BrokerError(
    "NO_RECEIVERS",
    `No worker listens to the queue ${queue} of rabbitmq-fanout: nobody got the message. Start a worker first.`,
  );
}

const capabilities: BrokerCapabilities = {
  delivery: "at-most-once",
  receivers: "every",
  durable: "refused",
  delay: "refused",
  delayResolution: 0,
  priority: "refused",
  ordering: "native",
  redelivery: "refused",
  lease: "refused",
  deliveryCount: "refused",
  deadLetters: "refused",
  dedupe: "refused",
  dedupeWindow: 0,
  inspection: "refused",
  maxMessageBytes,
};
