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
  parseDuration,
  type Unsubscribe,
} from "@taskferry/core";
import { Connection } from "../connection.ts";
import type { RedisQueueOptions } from "../options.ts";
import { redisPubSub } from "../pubsub/broker.ts";
import { redisResults } from "../results/backend.ts";
import type { Argument } from "../script.ts";
import { checkServer } from "../server-check.ts";
import { redisState } from "../state/store.ts";
import { QueueAdmin } from "./admin.ts";
import type { QueueScript } from "./compose-script.ts";
import { QueueConsumer } from "./consumer.ts";
import { maxMessageBytes, QueuePublisher } from "./publisher.ts";
import { Queues } from "./queues.ts";
import type { QueueScripts } from "./scripts.ts";
import type { QueueStorage } from "./storage.ts";

/** Where the messages lie, and the scripts for that. */
export interface QueueKind {
  readonly storage: QueueStorage;
  readonly scripts: QueueScripts;
}

/** Milliseconds after which a consumer that holds nothing is forgotten. One that comes back is made anew. */
const longestIdle = 60 * 60 * 1_000;

/** A broker of queues with leases, wherever the messages lie. */
export class QueueBroker implements Broker {
  readonly name: string;
  readonly contract = 1;
  readonly capabilities: BrokerCapabilities;
  readonly admin: QueueAdmin;
  readonly companions = {
    results: () => redisResults(this.#options),
    state: () => redisState(this.#options),
    broadcast: () => redisPubSub(this.#options),
  };
  readonly #options: RedisQueueOptions;
  readonly #storage: QueueStorage;
  readonly #scripts: QueueScripts;
  readonly #dedupeWindow: number;
  readonly #commands: Connection;
  readonly #queues: Queues;
  readonly #publisher: QueuePublisher;
  readonly #consumers = new Set<QueueConsumer>();
  readonly #listeners = new BrokerListeners();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: RedisQueueOptions, { storage, scripts }: QueueKind) {
    this.#options = options;
    this.#storage = storage;
    this.#scripts = scripts;
    this.name = storage.name;
    this.#dedupeWindow = parseDuration(options.dedupeWindow ?? "2m", "dedupeWindow");
    this.#commands = new Connection(options, {
      role: "commands",
      scripts: [...Object.values(scripts), ...[storage.enrol, storage.leave].filter((script) => script !== undefined)],
      onConnected: () => this.#listeners.tell({ type: "connected" }),
      onDisconnected: (error) => this.#listeners.tell({ type: "disconnected", error }),
    });
    this.#queues = new Queues(this.#commands, storage, options.namespace ?? "taskferry");
    const parts = { commands: this.#commands, queues: this.#queues, scripts, dedupeWindow: this.#dedupeWindow };
    this.#publisher = new QueuePublisher({ ...parts, maxLength: readMaxLength(options) });
    this.capabilities = describe(this.#dedupeWindow);
    this.admin = new QueueAdmin({ ...parts, storage });
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
    await this.#queues.register(queue);
    const id = this.#storage.nameConsumer();
    await this.#runFor(this.#storage.enrol, queue, [id, longestIdle]);
    const blocking = new Connection(this.#options, { role: "blocking", scripts: [this.#scripts.take] });
    await blocking.open();
    const consumer: QueueConsumer = new QueueConsumer({
      window,
      lease,
      commands: this.#commands,
      blocking,
      keys: this.#queues.keysOf(queue),
      scripts: this.#scripts,
      id,
      dedupeWindow: this.#dedupeWindow,
      leave: () => this.#runFor(this.#storage.leave, queue, [id]),
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    return this.#listeners.add(listener);
  }

  async #runFor(script: QueueScript | undefined, queue: string, args: readonly Argument[]): Promise<void> {
    if (script === undefined) return;
    await this.#commands.run(script, { keys: this.#queues.keysOf(queue).of(script), args });
  }

  async #open(): Promise<void> {
    await this.#commands.open();
    try {
      for (const message of await checkServer(this.#commands)) this.#listeners.tell({ type: "warning", message });
    } catch (error) {
      this.#commands.close();
      throw error;
    }
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    this.#queues.forget();
    this.#commands.close();
    this.#listeners.tell({ type: "disconnected", error: undefined });
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError(`The broker ${this.name}`);
  }
}

function readMaxLength({ maxLength = 0 }: RedisQueueOptions): number {
  if (Number.isInteger(maxLength) && maxLength >= 0) return maxLength;
  throw new OptionError("OPTION_INVALID", `maxLength: expected a whole number from 1, got ${maxLength}.`);
}

function describe(dedupeWindow: number): BrokerCapabilities {
  return {
    delivery: "at-least-once",
    receivers: "one",
    durable: "native",
    delay: "native",
    delayResolution: 100,
    priority: "native",
    ordering: "native",
    redelivery: "native",
    lease: "native",
    deliveryCount: "native",
    deadLetters: "native",
    dedupe: "native",
    dedupeWindow,
    inspection: "native",
    maxMessageBytes,
  };
}
