import { createHash } from "node:crypto";
import {
  BrokerError,
  dedupeId,
  encodeMessage,
  type Message,
  MessageError,
  monotonicNow,
  type OutgoingMessage,
  type PublishResult,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { apiErrors, full, isFull } from "../faults.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { type PubAck, storeAll } from "../store-all.ts";
import { bandOf, type Layout } from "./layout.ts";
import type { Queues } from "./queues.ts";
import { type Schedules, scheduleHeaders, slotOf } from "./schedules.ts";

export interface PublisherParts {
  readonly connection: Connection;
  readonly layout: Layout;
  readonly queues: Queues;
  readonly schedules: Schedules;
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

  /** A message as it is put into its queue, or kept back for `delay` milliseconds: as a schedule of the server, or parked. */
  toRequest(message: Message, delay: number): Request | MessageError {
    const { layout, maxMessageBytes, schedules } = this.#parts;
    const payload = encodeMessage(message);
    if (payload.length > maxMessageBytes) return tooLarge(message.id, payload.length, maxMessageBytes);
    const { queue } = message;
    // The same id in another queue is another message.
    const id = `${queue}/${dedupeId(message)}`;
    if (delay <= 0) {
      const subject = layout.ready(queue, bandOf(message));
      return { subject, payload, headers: headersOf({ [natsHeader.messageId]: id }) };
    }
    const band = bandOf(message);
    const dueAt = schedules.isOn ? schedules.dueAt(delay) : undefined;
    if (dueAt !== undefined) {
      const subject = layout.scheduled(queue, { band, slot: slotOf(dueAt), key: tokenFor(id) });
      const headers = { [natsHeader.messageId]: id, ...scheduleHeaders(dueAt, layout.ready(queue, band)) };
      return { subject, payload, headers: headersOf(headers) };
    }
    const headers = headersOf({ [natsHeader.messageId]: id, [delayHeader]: String(Math.ceil(delay)) });
    return { subject: layout.delayed(queue, band), payload, headers };
  }

  /**
   * Sends until each is answered or the time is over. Rejects when nothing was attempted.
   *
   * @param ready - resolves when what the requests need is there.
   */
  async send(requests: readonly Request[], deadline: number, ready?: Promise<void>): Promise<readonly PublishResult[]> {
    await ready;
    const { connection, layout } = this.#parts;
    const results = await storeAll(requests, {
      connection,
      deadline,
      read: (ack) => this.#toResult(ack),
      // A server that was restarted meanwhile has forgotten the ids of what is done and gone.
      again: (request) => ({ ...request, subject: layout.again(request.subject) }),
    });
    return results.map((result) => result ?? unanswered);
  }

  /** What queues need before their first message: bands of their own, somebody to move what is due. */
  async #prepare(messages: readonly OutgoingMessage[], deadline: number): Promise<void> {
    const { queues, schedules } = this.#parts;
    for (const { message, delay = 0 } of messages) {
      const band = bandOf(message);
      if (delay > 0 && schedules.isOn) await schedules.keepTime();
      else if (delay > 0) queues.expectDelays(message.queue);
      if (!queues.isKnown(message.queue, band)) await queues.addBand(message.queue, band, deadline - monotonicNow());
    }
  }

  /** Undefined for a fault that passes. */
  #toResult({ error, duplicate: isDuplicate }: PubAck): PublishResult | undefined {
    if (error === undefined) {
      this.#parts.onFull(false);
      return isDuplicate === true ? duplicate : accepted;
    }
    if (isFull(error)) {
      this.#parts.onFull(true);
      return { status: "refused", error: full(error.description ?? "") };
    }
    if (error.err_code !== apiErrors.messageTooLarge) return undefined;
    const fault = new MessageError("MESSAGE_TOO_LARGE", `JetStream refused the message: ${error.description}.`);
    return { status: "refused", error: fault };
  }
}

/** An id as one token of a subject. */
function tokenFor(id: string): string {
  return createHash("sha256").update(id).digest("base64url").slice(0, 24);
}

function tooLarge(id: string, bytes: number, most: number): MessageError {
  const text = `Expected a message of at most ${most} bytes, got ${bytes}. Send a reference to the data, or raise \`maxMessageBytes\` and the server's max_payload.`;
  return new MessageError("MESSAGE_TOO_LARGE", text, { id });
}
