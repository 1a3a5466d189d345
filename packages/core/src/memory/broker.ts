import type { Broker, BrokerAdmin, BrokerCapabilities, Consumer } from "../broker.ts";
import { BrokerListeners } from "../broker-listeners.ts";
import { type Duration, parseDuration } from "../duration.ts";
import { ClosedError, OptionError } from "../errors.ts";
import { countedLifecycle } from "../lifecycle.ts";
import type { StateStore } from "../state-store.ts";
import { createAdmin } from "./admin.ts";
import { createConsumer } from "./consumer.ts";
import { readContent } from "./entry.ts";
import { memoryFanout } from "./fanout.ts";
import { createKeepAlive } from "./keep-alive.ts";
import type { QueueLimits } from "./queue.ts";
import { createQueueSet } from "./queue-set.ts";
import { type MemoryResults, memoryResults } from "./results.ts";
import { createTurns } from "./turns.ts";

export interface MemoryOptions {
  /** How long a publish is recognised after its message left the queue. Default `"2m"`. */
  readonly dedupeWindow?: Duration;
  /** Bytes of an encoded message at most; larger ones are refused with `MESSAGE_TOO_LARGE`. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Messages that a queue holds at once, dead letters not counted; beyond, `BROKER_FULL`. Default: no limit. */
  readonly maxMessages?: number;
}

/** A broker in the memory of this process. */
export interface MemoryBroker extends Broker {
  readonly admin: BrokerAdmin;
  /** The same values at each call: they belong to this broker. */
  readonly companions: {
    readonly results: () => MemoryResults;
    readonly state: () => StateStore;
    readonly broadcast: () => Broker;
  };
  /**
   * Puts bytes into a queue as if another program had: no check, no dedupe. Bytes that are no message come out as a
   * malformed delivery. For tests of what a worker does with them.
   */
  insertRaw(queue: string, bytes: Uint8Array): void;
}

/**
 * A broker for tests, development and single programs: at least once within the process, with every capability but
 * durability, and a result backend and a state store to go with it. One value is one server: clients and workers meet
 * where they share it. Its messages outlive `close()` and end with the process.
 *
 * Messages are copied on the way in and out, so that nobody changes what another sees.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function memory(options: MemoryOptions = {}): MemoryBroker {
  const limits = readLimits(options);
  const keepAlive = createKeepAlive();
  const queues = createQueueSet(limits, keepAlive);
  const consumers = new Set<Consumer>();
  const listeners = new BrokerListeners();
  const nextTurn = createTurns();
  const fanout = memoryFanout();
  let results: MemoryResults | undefined;

  const lifecycle = countedLifecycle({
    open: async () => listeners.tell({ type: "connected" }),
    shut: async () => {
      await Promise.all([...consumers].map((consumer) => consumer.close()));
      listeners.tell({ type: "disconnected", error: undefined });
    },
  });
  const checkOpen = (): void => {
    if (!lifecycle.isOpen()) throw new ClosedError("The memory broker");
  };
  const companion = (): MemoryResults => {
    results ??= memoryResults();
    return results;
  };

  return {
    name: "memory",
    contract: 1,
    capabilities: describe(limits),
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: lifecycle.close,
    publish: async (messages) => {
      checkOpen();
      const targets = messages.map(({ message }) => queues.open(message.queue));
      await nextTurn();
      return messages.map((outgoing, index) => (targets[index] as (typeof targets)[number]).publish(outgoing));
    },
    consume: async (name, { window, lease }) => {
      checkOpen();
      const queue = queues.open(name);
      const consumer = createConsumer({
        queue,
        line: queues.lineOf(queue),
        window,
        lease,
        nextTurn,
        replace: (message, delay) => queues.open(message.queue).replace(message, delay),
        onClose: (closed) => consumers.delete(closed),
      });
      consumers.add(consumer);
      return consumer;
    },
    admin: createAdmin(queues.byName, checkOpen),
    companions: { results: companion, state: () => companion().state(), broadcast: () => fanout },
    on: (listener) => listeners.add(listener),
    insertRaw: (queue, bytes) => queues.open(queue).insert(readContent(bytes)),
  };
}

function readLimits(options: MemoryOptions): QueueLimits {
  const { maxMessageBytes = 16 * 1024 * 1024, maxMessages = Number.POSITIVE_INFINITY } = options;
  for (const [name, value] of Object.entries({ maxMessageBytes, maxMessages })) {
    if (typeof value === "number" && value >= 1) continue;
    throw new OptionError("OPTION_INVALID", `${name}: expected a number of at least 1, got ${String(value)}.`);
  }
  return { maxMessageBytes, maxMessages, dedupeWindow: parseDuration(options.dedupeWindow ?? "2m", "dedupeWindow") };
}

function describe({ maxMessageBytes, dedupeWindow }: QueueLimits): BrokerCapabilities {
  return {
    delivery: "at-least-once",
    receivers: "one",
    durable: "refused",
    delay: "native",
    delayResolution: 10,
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
