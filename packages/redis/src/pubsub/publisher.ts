import {
  BrokerError,
  defaultPriority,
  encodeMessage,
  isTaskferryError,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
  type TaskferryError,
  UnsupportedCapabilityError,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { UnansweredError } from "../faults.ts";
import { packList } from "../packed-list.ts";
import { publish } from "./publish.ts";

/** Redis cuts off a subscriber that has 32 MB before it by default. */
export const maxMessageBytes = 4 * 1024 * 1024;

const largestBatch = 500;
const mostBytes = 1024 * 1024;

interface Batch {
  readonly indexes: number[];
  /** Channel and bytes of each. */
  readonly items: (string | Uint8Array)[];
  bytes: number;
}

const accepted: PublishResult = { status: "accepted" };

/** Sends messages to who listens. What got no reply may have been heard, so it is never sent again from here. */
export class PubSubPublisher {
  readonly #commands: Connection;
  readonly #channelOf: (queue: string) => string;

  constructor(commands: Connection, channelOf: (queue: string) => string) {
    this.#commands = commands;
    this.#channelOf = channelOf;
  }

  async publish(messages: readonly OutgoingMessage[], timeout: number): Promise<readonly PublishResult[]> {
    const results: (PublishResult | undefined)[] = messages.map(refusalOf);
    const deadline = monotonicNow() + timeout;
    let wasAttempted = false;
    // One after the other: what was published first is heard first.
    for (const { indexes, items } of this.#batches(messages, results)) {
      try {
        const args = [packList(items)];
        const limit = Math.max(1, deadline - monotonicNow());
        const counts = await this.#commands.runOnce<readonly number[]>(publish, { keys: [], args, limit });
        wasAttempted = true;
        indexes.forEach((index, position) => {
          results[index] = this.#toResult(counts[position] ?? 0, messages[index] as OutgoingMessage);
        });
      } catch (error) {
        wasAttempted ||= error instanceof UnansweredError;
        if (!wasAttempted || !isTaskferryError(error, "BROKER_UNAVAILABLE")) throw error;
        return results.map((result) => result ?? { status: "unknown", error });
      }
    }
    return results.map((result) => result ?? accepted);
  }

  /** A node of a cluster counts its own listeners only, so nothing can be said there. */
  #toResult(receivers: number, { message }: OutgoingMessage): PublishResult {
    if (receivers > 0 || this.#commands.isCluster) return accepted;
    const text = `Nobody listens to the queue "${message.queue}": the message is gone. Start a worker for it first.`;
    return { status: "refused", error: new BrokerError("NO_RECEIVERS", text) };
  }

  *#batches(messages: readonly OutgoingMessage[], results: readonly unknown[]): Generator<Batch> {
    let batch: Batch = { indexes: [], items: [], bytes: 0 };
    for (const [index, { message }] of messages.entries()) {
      if (results[index] !== undefined) continue;
      const frame = encodeMessage(message);
      if (batch.indexes.length === largestBatch || (batch.bytes > 0 && batch.bytes + frame.length > mostBytes)) {
        yield batch;
        batch = { indexes: [], items: [], bytes: 0 };
      }
      batch.indexes.push(index);
      batch.items.push(this.#channelOf(message.queue), frame);
      batch.bytes += frame.length;
    }
    if (batch.indexes.length > 0) yield batch;
  }
}

function refusalOf({ message, delay = 0 }: OutgoingMessage): PublishResult | undefined {
  const { priority = defaultPriority, body, id } = message;
  if (delay > 0) return refuse(unsupported("delay", "A message that is kept nowhere cannot wait."));
  if (priority !== defaultPriority) return refuse(unsupported("priority", "Messages arrive in their order."));
  if (body.length <= maxMessageBytes) return undefined;
  const text = `Expected a message of at most ${maxMessageBytes} bytes, got a body of ${body.length}. Send a reference to the data.`;
  return refuse(new MessageError("MESSAGE_TOO_LARGE", text, { id }));
}

function refuse(error: TaskferryError): PublishResult {
  return { status: "refused", error };
}

function unsupported(capability: string, reason: string): TaskferryError {
  return new UnsupportedCapabilityError(capability, `The broker redis-pubsub has no ${capability}. ${reason}`);
}
