import {
  BrokerError,
  dedupeId,
  encodeMessage,
  isTaskferryError,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { UnansweredError } from "../faults.ts";
import { inLanes } from "../in-lanes.ts";
import { packList } from "../packed-list.ts";
import { bandAndDelay, bandOf } from "./band.ts";
import type { Queues } from "./queues.ts";
import type { QueueScripts } from "./scripts.ts";

export const maxMessageBytes = 16 * 1024 * 1024;

/** Messages of one call at most: Lua unpacks them on its stack. */
const largestBatch = 500;
/** Bytes of one call at most, but for a single message that is larger. */
const mostBytes = 1024 * 1024;

export interface QueuePublisherParts {
  readonly commands: Connection;
  readonly queues: Queues;
  readonly scripts: QueueScripts;
  readonly dedupeWindow: number;
  /** Messages that a queue holds at most; 0 for any number. */
  readonly maxLength: number;
}

/** Messages of one queue, named by their indexes, encoded. */
interface Batch {
  readonly queue: string;
  readonly indexes: number[];
  /** Key and bytes of each. */
  readonly items: (string | Uint8Array)[];
  readonly places: string[];
  bytes: number;
}

const unanswered: PublishResult = {
  status: "unknown",
  error: new BrokerError(
    "BROKER_UNAVAILABLE",
    "Redis did not say what became of the message. Publishing it again under the same hop is safe.",
  ),
};

const accepted: PublishResult = { status: "accepted" };
const duplicate: PublishResult = { status: "duplicate" };
/** What the script answers, as characters. */
const digits = { duplicate: 0x30, accepted: 0x31 };

/** Puts messages into their queues, a batch for each. */
export class QueuePublisher {
  readonly #parts: QueuePublisherParts;

  constructor(parts: QueuePublisherParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly OutgoingMessage[], timeout: number): Promise<readonly PublishResult[]> {
    const results: PublishResult[] = messages.map((outgoing) => refuseOversized(outgoing) ?? unanswered);
    const deadline = monotonicNow() + timeout;
    const sent = await inLanes(batches(messages, results), (batch) => this.#send(batch, deadline, results));
    return conclude(results, sent);
  }

  async #send({ queue, indexes, items, places }: Batch, deadline: number, results: PublishResult[]): Promise<void> {
    const { commands, queues, scripts, dedupeWindow, maxLength } = this.#parts;
    const timeLeft = (): number => Math.max(1, deadline - monotonicNow());
    const record = (result: (position: number) => PublishResult): void =>
      indexes.forEach((index, position) => {
        results[index] = result(position);
      });
    try {
      await queues.register(queue, timeLeft());
      const args = [dedupeWindow, maxLength, packList(items), packPlaces(places)];
      const answers = await commands.run<Buffer>(scripts.publish, {
        keys: queues.keysOf(queue).of(scripts.publish),
        args,
        limit: timeLeft(),
      });
      record((position) => this.#toResult(answers[position]));
    } catch (error) {
      if (!isTaskferryError(error, "BROKER_FULL")) throw error;
      record(() => ({ status: "refused", error }));
    }
  }

  /** @param digit - undefined where the script had nothing to say: all are accepted. */
  #toResult(digit: number | undefined): PublishResult {
    switch (digit) {
      case undefined:
      case digits.accepted:
        return accepted;
      case digits.duplicate:
        return duplicate;
      default:
        return { status: "refused", error: full(this.#parts.maxLength) };
    }
  }
}

/** "" where all go to the middle band at once. */
function packPlaces(places: readonly string[]): Buffer | "" {
  return places.some((place) => place !== "") ? packList(places) : "";
}

function full(maxLength: number): BrokerError {
  return new BrokerError(
    "BROKER_FULL",
    `The queue holds its maximum of ${maxLength} messages (\`maxLength\`). Let workers catch up, or raise it.`,
  );
}

function refuseOversized({ message }: OutgoingMessage): PublishResult | undefined {
  if (message.body.length <= maxMessageBytes) return undefined;
  const text = `Expected a message of at most ${maxMessageBytes} bytes, got a body of ${message.body.length}. Send a reference to the data.`;
  return { status: "refused", error: new MessageError("MESSAGE_TOO_LARGE", text, { id: message.id }) };
}

/** The messages to send, by queue, in order; no more of them in one call than hold up nobody. */
function* batches(messages: readonly OutgoingMessage[], results: readonly PublishResult[]): Generator<Batch> {
  const open = new Map<string, Batch>();
  for (const [index, { message, delay = 0 }] of messages.entries()) {
    if (results[index]?.status === "refused") continue;
    const { queue } = message;
    const frame = encodeMessage(message);
    let batch = open.get(queue);
    if (batch !== undefined && (batch.indexes.length === largestBatch || batch.bytes + frame.length > mostBytes)) {
      yield batch;
      batch = undefined;
    }
    batch ??= { queue, indexes: [], items: [], places: [], bytes: 0 };
    open.set(queue, batch);
    batch.indexes.push(index);
    batch.items.push(dedupeId(message), frame);
    batch.places.push(delay > 0 || bandOf(message) !== 1 ? bandAndDelay(message, delay) : "");
    batch.bytes += frame.length;
  }
  yield* open.values();
}

/** What batches that failed mean. Nothing attempted at all: the whole call rejects. */
function conclude(
  results: readonly PublishResult[],
  sent: readonly PromiseSettledResult<void>[],
): readonly PublishResult[] {
  const reasons = sent.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const wasAttempted = reasons.length < sent.length || reasons.some((reason) => reason instanceof UnansweredError);
  if (!wasAttempted && reasons.length > 0) throw reasons[0];
  return results;
}
