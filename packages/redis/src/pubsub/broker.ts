import {
  type Broker,
  type BrokerCapabilities,
  type BrokerEvent,
  BrokerListeners,
  ClosedError,
  type ConsumeOptions,
  type Consumer,
  countedLifecycle,
  OptionError,
  type OutgoingMessage,
  type PublishOptions,
  type PublishResult,
  type Unsubscribe,
} from "@taskferry/core";
import { Connection } from "../connection.ts";
import type { RedisPubSubOptions } from "../options.ts";
import { checkServer } from "../server-check.ts";
import { PubSubConsumer } from "./consumer.ts";
import { DropCounter } from "./drop-counter.ts";
import { publish } from "./publish.ts";
import { maxMessageBytes, PubSubPublisher } from "./publisher.ts";
import { Subscriber } from "./subscriber.ts";

/**
 * A broker on Redis pub/sub: at most once, to every worker that listens at that moment. Nothing is kept. What may have
 * been missed, while the connection was away or because a worker was too slow, is told as the event `gap`.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function redisPubSub(options: RedisPubSubOptions = {}): Broker {
  return new PubSubBroker(options);
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

class PubSubBroker implements Broker {
  readonly name = "redis-pubsub";
  readonly contract = 1;
  readonly capabilities = capabilities;
  readonly #channelPrefix: string;
  readonly #buffer: number;
  readonly #commands: Connection;
  readonly #publisher: PubSubPublisher;
  readonly #subscriber: Subscriber;
  readonly #consumers = new Set<Consumer>();
  readonly #listeners = new BrokerListeners();
  readonly #drops = new DropCounter((reason) => this.#tellGap(reason));
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: RedisPubSubOptions) {
    this.#channelPrefix = `${options.namespace ?? "taskferry"}:broadcast:`;
    this.#buffer = readBuffer(options);
    this.#commands = new Connection(options, {
      role: "commands",
      scripts: [publish],
      onConnected: () => this.#listeners.tell({ type: "connected" }),
      onDisconnected: (error) => this.#listeners.tell({ type: "disconnected", error }),
    });
    this.#publisher = new PubSubPublisher(this.#commands, (queue) => this.#channelPrefix + queue);
    this.#subscriber = new Subscriber({
      options,
      commands: this.#commands,
      onGap: () =>
        this.#tellGap("The connection to Redis was lost for a while: what was sent meanwhile was not heard."),
    });
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
    const channel = this.#channelPrefix + queue;
    const receive = (frame: Buffer): void => consumer.hear(frame);
    const consumer: PubSubConsumer = new PubSubConsumer({
      window,
      buffer: this.#buffer,
      onDropped: () => this.#drops.count(queue),
      leave: () => this.#subscriber.leave(channel, receive),
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    try {
      await this.#subscriber.listen(channel, receive);
    } catch (error) {
      this.#consumers.delete(consumer);
      throw error;
    }
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  async #open(): Promise<void> {
    await this.#commands.open();
    try {
      // What it may evict is no concern of a broker that keeps nothing.
      await checkServer(this.#commands);
    } catch (error) {
      this.#commands.close();
      throw error;
    }
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    this.#drops.close();
    this.#subscriber.close();
    this.#commands.close();
    this.#listeners.tell({ type: "disconnected", error: undefined });
  }

  #tellGap(reason: string): void {
    this.#listeners.tell({ type: "gap", reason });
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The broker redis-pubsub");
  }
}

function readBuffer({ buffer = 1_000 }: RedisPubSubOptions): number {
  if (Number.isInteger(buffer) && buffer >= 1) return buffer;
  throw new OptionError("OPTION_INVALID", `buffer: expected a whole number from 1, got ${buffer}.`);
}
