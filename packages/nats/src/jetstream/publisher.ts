import { setTimeout as wait } from "node:timers/promises";
import type { Msg } from "@nats-io/transport-node";
import {
  BrokerError,
  dedupeId,
  encodeMessage,
  isTaskferryError,
  type Message,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
  type TaskferryError,
} from "@taskferry/core";
import { type Connection, hasNoResponders } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { ApiError, apiErrors, full } from "../faults.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { bandOf, type Layout } from "./layout.ts";
import type { Queues } from "./queues.ts";

export interface PublisherParts {
  readonly connection: Connection;
  readonly layout: Layout;
  readonly queues: Queues;
  readonly maxMessageBytes: number;
  /** Told when the stream has no room, and when it has again. */
  readonly onFull: (isFull: boolean) => void;
}

/** The header that says for how long a message is parked, in milliseconds from when the server stored it. */
export const delayHeader = "Taskferry-Delay";

const unanswered: PublishResult = {
  status: "unknown",
  error: new BrokerError(
    "BROKER_UNAVAILABLE",
    "NATS did not say what became of the message. Publishing it again under the same hop is safe.",
  ),
};
const accepted: PublishResult = { status: "accepted" };
const duplicate: PublishResult = { status: "duplicate" };

interface PubAck {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

/** Puts messages into the stream, many at once. */
export class Publisher {
  readonly #parts: PublisherParts;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly OutgoingMessage[], timeout: number): Promise<readonly PublishResult[]> {
    const deadline = monotonicNow() + timeout;
    const results: (PublishResult | undefined)[] = [];
    const requests: Request[] = [];
    for (const outgoing of messages) {
      const request = this.toRequest(outgoing.message, outgoing.delay ?? 0);
      results.push(request instanceof MessageError ? { status: "refused", error: request } : undefined);
      if (!(request instanceof MessageError)) requests.push(request);
    }
    const answers = (await this.send(requests, deadline, this.#prepare(messages, deadline)))[Symbol.iterator]();
    return results.map((result) => result ?? (answers.next().value as PublishResult));
  }

  /** A message as it is put into its queue, or parked for `delay` milliseconds. */
  toRequest(message: Message, delay: number): Request | MessageError {
    const { layout, maxMessageBytes } = this.#parts;
    const payload = encodeMessage(message);
    if (payload.length > maxMessageBytes) return tooLarge(message.id, payload.length, maxMessageBytes);
    const { queue } = message;
    // The same id in another queue is another message.
    const id = `${queue}/${dedupeId(message)}`;
    if (delay <= 0) {
      const subject = layout.ready(queue, bandOf(message));
      return { subject, payload, headers: headersOf({ [natsHeader.messageId]: id }) };
    }
    const headers = headersOf({ [natsHeader.messageId]: id, [delayHeader]: String(Math.ceil(delay)) });
    return { subject: layout.delayed(queue, bandOf(message)), payload, headers };
  }

  /**
   * Sends until each is answered or the time is over. Rejects when nothing was attempted.
   *
   * @param ready - resolves when what the requests need is there.
   */
  async send(requests: readonly Request[], deadline: number, ready?: Promise<void>): Promise<readonly PublishResult[]> {
    const { connection } = this.#parts;
    const results: PublishResult[] = requests.map(() => unanswered);
    let open = requests.map((_, index) => index);
    let wasAttempted = false;
    let lastFault: TaskferryError | undefined;
    await ready;
    for (let pause = 10; open.length > 0; pause = Math.min(pause * 2, 250)) {
      const left = deadline - monotonicNow();
      if (left > 0 && (await connection.whenConnected(left))) {
        const sent = open;
        const requestsNow = sent.map((index) => requests[index] as Request);
        const replies = await this.#ask(requestsNow, Math.max(1, deadline - monotonicNow()));
        open = sent.filter((index, position) => {
          const reply = replies?.[position];
          if (reply !== undefined && hasNoResponders(reply)) return true;
          wasAttempted ||= replies !== undefined;
          const result = reply === undefined ? undefined : this.#toResult(reply);
          if (result instanceof ApiError) lastFault = result;
          else if (result !== undefined) results[index] = result;
          return result === undefined || result instanceof ApiError;
        });
        if (open.length === 0) break;
      }
      const rest = deadline - monotonicNow();
      if (rest <= 0) {
        if (wasAttempted || open.length < requests.length) return results;
        throw lastFault ?? connection.unavailable("nobody took the messages. Is JetStream on?");
      }
      await wait(Math.min(rest, pause * (0.5 + Math.random() / 2)));
    }
    return results;
  }

  async #ask(requests: readonly Request[], limit: number): Promise<readonly (Msg | undefined)[] | undefined> {
    try {
      return (await this.#parts.connection.ask(requests, limit)).replies;
    } catch (error) {
      if (isTaskferryError(error, "BROKER_UNAVAILABLE") && error.retryable) return undefined;
      throw error;
    }
  }

  /** What queues need before their first message: bands of their own, somebody to move what is due. */
  async #prepare(messages: readonly OutgoingMessage[], deadline: number): Promise<void> {
    const { queues } = this.#parts;
    for (const { message, delay = 0 } of messages) {
      const band = bandOf(message);
      if (delay > 0) queues.expectDelays(message.queue);
      if (!queues.isKnown(message.queue, band)) await queues.addBand(message.queue, band, deadline - monotonicNow());
    }
  }

  /** An ApiError is a fault that passes. */
  #toResult(reply: Msg): PublishResult | ApiError {
    const { error, duplicate: isDuplicate } = reply.json<PubAck>();
    if (error === undefined) {
      this.#parts.onFull(false);
      return isDuplicate === true ? duplicate : accepted;
    }
    const { code, err_code: number = code, description = "no reason" } = error;
    if (isFull(number, description)) {
      this.#parts.onFull(true);
      return { status: "refused", error: full(description) };
    }
    if (number === apiErrors.messageTooLarge) {
      const fault = new MessageError("MESSAGE_TOO_LARGE", `JetStream refused the message: ${description}.`);
      return { status: "refused", error: fault };
    }
    return new ApiError(number, `JetStream did not take the message: ${description} (${number}).`);
  }
}

const fullNumbers: readonly number[] = [
  apiErrors.insufficientResources,
  apiErrors.memoryExceeded,
  apiErrors.storageExceeded,
];

function isFull(number: number, description: string): boolean {
  return fullNumbers.includes(number) || /maximum (?:bytes|messages)|no space|insufficient/i.test(description);
}

function tooLarge(id: string, bytes: number, most: number): MessageError {
  const text = `Expected a message of at most ${most} bytes, got ${bytes}. Send a reference to the data, or raise \`maxMessageBytes\` and the server's max_payload.`;
  return new MessageError("MESSAGE_TOO_LARGE", text, { id });
}
