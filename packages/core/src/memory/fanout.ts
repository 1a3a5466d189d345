import type { Broker, BrokerCapabilities, PublishResult } from "../broker.ts";
import { BrokerListeners } from "../broker-listeners.ts";
import { BrokerError, ClosedError, MessageError, UnsupportedCapabilityError } from "../errors.ts";
import { encodeMessage } from "../frame.ts";
import { countedLifecycle } from "../lifecycle.ts";
import { defaultPriority, type Message } from "../message.ts";
import { FanoutConsumer } from "./fanout-consumer.ts";

const maxMessageBytes = 16 * 1024 * 1024;

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

/**
 * A broker in the memory of this process that keeps nothing: every worker that listens gets each message, once at most.
 * What nobody listens to is refused with `NO_RECEIVERS`. One value is one server, as with {@link memory}.
 */
export function memoryFanout(): Broker {
  const listeners = new BrokerListeners();
  const consumers = new Set<FanoutConsumer>();
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
  return {
    name: "memory-fanout",
    contract: 1,
    capabilities,
    connect: lifecycle.connect,
    close: lifecycle.close,
    [Symbol.asyncDispose]: lifecycle.close,
    publish: async (messages) => {
      checkOpen();
      return messages.map(({ message, delay = 0 }) => refusalOf(message, delay) ?? deliver(consumers, message));
    },
    consume: async (queue, { window }) => {
      checkOpen();
      const consumer = new FanoutConsumer(queue, window, {
        onGap: (reason) => listeners.tell({ type: "gap", reason }),
        onEnd: () => void consumers.delete(consumer),
      });
      consumers.add(consumer);
      return consumer;
    },
    on: (listener) => listeners.add(listener),
  };
}

function refusalOf(message: Message, delay: number): PublishResult | undefined {
  if (delay > 0) return refuse("delay");
  if ((message.priority ?? defaultPriority) !== defaultPriority) return refuse("priority");
  const bytes = encodeMessage(message).length;
  if (bytes <= maxMessageBytes) return undefined;
  const text = `Expected a message of at most ${maxMessageBytes} bytes, got ${bytes}. Send a reference to the data.`;
  return { status: "refused", error: new MessageError("MESSAGE_TOO_LARGE", text, { id: message.id }) };
}

function refuse(capability: "delay" | "priority"): PublishResult {
  const text = `A fan-out keeps no message, so it cannot keep its ${capability}.`;
  return { status: "refused", error: new UnsupportedCapabilityError(capability, text) };
}

function deliver(consumers: ReadonlySet<FanoutConsumer>, message: Message): PublishResult {
  const receivers = [...consumers].filter(({ queue }) => queue === message.queue);
  for (const receiver of receivers) receiver.receive(message);
  if (receivers.length > 0) return { status: "accepted" };
  const text = `No worker listens to ${message.queue} now, and a fan-out keeps nothing for later.`;
  return { status: "refused", error: new BrokerError("NO_RECEIVERS", text) };
}
