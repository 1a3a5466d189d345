import { randomBytes } from "node:crypto";
import {
  type Broker,
  type BrokerCapabilities,
  type BrokerEvent,
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
import type { RedisListOptions } from "../options.ts";
import { redisResults } from "../results/backend.ts";
import { checkServer } from "../server-check.ts";
import { redisState } from "../state/store.ts";
import { ListAdmin } from "./admin.ts";
import { ListConsumer } from "./consumer.ts";
import { ListPublisher, maxMessageBytes } from "./publisher.ts";
import { Queues } from "./queues.ts";
import { acknowledge } from "./scripts/acknowledge.ts";
import { depth } from "./scripts/depth.ts";
import { extend } from "./scripts/extend.ts";
import { page } from "./scripts/page.ts";
import { publish } from "./scripts/publish.ts";
import { remove } from "./scripts/remove.ts";
import { settle } from "./scripts/settle.ts";
import { take } from "./scripts/take.ts";

/**
 * A broker on Redis lists: at least once, to one worker, with leases, delays, priority bands and dead letters. Redis
 * 6.2 or later, Sentinel and Cluster. The README says what durability means there.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function redisList(options: RedisListOptions = {}): Broker {
  return new ListBroker(options);
}

class ListBroker implements Broker {
  readonly name = "redis-list";
  readonly contract = 1;
  readonly capabilities: BrokerCapabilities;
  readonly admin: ListAdmin;
  readonly companions = { results: () => redisResults(this.#options), state: () => redisState(this.#options) };
  readonly #options: RedisListOptions;
  readonly #dedupeWindow: number;
  readonly #commands: Connection;
  readonly #queues: Queues;
  readonly #publisher: ListPublisher;
  readonly #consumers = new Set<ListConsumer>();
  readonly #listeners = new Set<(event: BrokerEvent) => void>();
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: RedisListOptions) {
    this.#options = options;
    this.#dedupeWindow = parseDuration(options.dedupeWindow ?? "2m", "dedupeWindow");
    this.#commands = new Connection(options, {
      role: "commands",
      scripts: [publish, take, acknowledge, settle, extend, page, remove, depth],
      onConnected: () => this.#tell({ type: "connected" }),
      onDisconnected: (error) => this.#tell({ type: "disconnected", error }),
    });
    this.#queues = new Queues(this.#commands, options.namespace ?? "taskferry");
    this.#publisher = new ListPublisher({
      commands: this.#commands,
      queues: this.#queues,
      dedupeWindow: this.#dedupeWindow,
      maxLength: readMaxLength(options),
    });
    this.capabilities = describe(this.#dedupeWindow);
    this.admin = new ListAdmin({ commands: this.#commands, queues: this.#queues, dedupeWindow: this.#dedupeWindow });
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
    const blocking = new Connection(this.#options, { role: "blocking" });
    await blocking.open();
    const consumer: ListConsumer = new ListConsumer({
      window,
      lease,
      commands: this.#commands,
      blocking,
      keys: this.#queues.keysOf(queue),
      id: randomBytes(9).toString("base64url"),
      dedupeWindow: this.#dedupeWindow,
      onClose: () => this.#consumers.delete(consumer),
    });
    this.#consumers.add(consumer);
    return consumer;
  }

  on(listener: (event: BrokerEvent) => void): Unsubscribe {
    const own = (event: BrokerEvent): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async #open(): Promise<void> {
    await this.#commands.open();
    try {
      for (const message of await checkServer(this.#commands)) this.#tell({ type: "warning", message });
    } catch (error) {
      this.#commands.close();
      throw error;
    }
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    this.#queues.forget();
    this.#commands.close();
    this.#tell({ type: "disconnected", error: undefined });
  }

  #checkOpen(): void {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The broker redis-list");
  }

  #tell(event: BrokerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}

function readMaxLength({ maxLength = 0 }: RedisListOptions): number {
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
