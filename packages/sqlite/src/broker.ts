import type { Broker, BrokerCapabilities, Consumer } from "@taskferry/core";
import { BrokerListeners, ClosedError } from "@taskferry/core";
import { createAdmin } from "./admin.ts";
import { createConsumer } from "./consumer.ts";
import { createFileUse, type FileUse } from "./file-use.ts";
import type { FileLink } from "./link.ts";
import type { ThreadOptions } from "./protocol.ts";
import { maxMessageBytes, publish } from "./publish.ts";
import { createResults } from "./results.ts";
import { createState } from "./state.ts";

/** A broker on a file that `link` leads to. */
export function createBroker(link: FileLink, options: ThreadOptions): Broker {
  const consumers = new Set<Consumer>();
  const listeners = new BrokerListeners();
  const warn = (message: string): void => listeners.tell({ type: "warning", message });

  const file: FileUse = createFileUse({
    link,
    options,
    what: "The sqlite broker",
    onOpen: () => {
      listeners.tell({ type: "connected" });
      for (const warning of [...link.warnings(), ...productionWarnings(options)]) warn(warning);
    },
    onShut: async () => {
      await Promise.all([...consumers].map((consumer) => consumer.close()));
      listeners.tell({ type: "disconnected", error: undefined });
    },
    onEvent: (event) =>
      listeners.tell(event.type === "connected" ? event : { ...event, error: file.toError(event.error) }),
  });
  return {
    name: "sqlite",
    contract: 1,
    capabilities: describe(options),
    connect: file.connect,
    close: file.close,
    [Symbol.asyncDispose]: file.close,
    publish: (messages, { timeout }) => publish(file, messages, timeout),
    consume: async (queue, { window, lease }) => {
      if (!file.isOpen()) throw new ClosedError("The sqlite broker");
      const consumer = createConsumer({
        file,
        queue,
        window,
        lease,
        timeout: options.timeout,
        onClose: (closed) => consumers.delete(closed),
        onWarning: warn,
      });
      consumers.add(consumer);
      return consumer;
    },
    admin: createAdmin(file),
    companions: { results: () => createResults(link, options), state: () => createState(link, options) },
    on: (listener) => listeners.add(listener),
  };
}

function describe({ dedupeWindow }: ThreadOptions): BrokerCapabilities {
  return {
    delivery: "at-least-once",
    receivers: "one",
    durable: "native",
    delay: "native",
    delayResolution: 50,
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

function productionWarnings({ path }: ThreadOptions): readonly string[] {
  if (process.env["NODE_ENV"] !== "production") return [];
  return [
    `${path} is for the processes of this one machine. For several machines, use a broker with a server, such as Redis.`,
  ];
}
