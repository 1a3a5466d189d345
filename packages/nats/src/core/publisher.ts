import { setTimeout as wait } from "node:timers/promises";
import type { Msg } from "@nats-io/transport-node";
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
import { type Connection, hasNoResponders } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { answers } from "./consumer.ts";

export interface CorePublisherParts {
  readonly connection: Connection;
  readonly subjectOf: (queue: string) => string;
  readonly maxMessageBytes: number;
}

const accepted: PublishResult = { status: "accepted" };
const unanswered: PublishResult = {
  status: "unknown",
  error: new BrokerError("BROKER_UNAVAILABLE", "Nobody said that the message was received. It may have been."),
};

/** Hands messages to those who listen right now. A receiver says that it has it; where there is none, NATS says so. */
export class CorePublisher {
  readonly #parts: CorePublisherParts;

  constructor(parts: CorePublisherParts) {
    this.#parts = parts;
  }

  async publish(messages: readonly OutgoingMessage[], timeout: number): Promise<readonly PublishResult[]> {
    const { subjectOf } = this.#parts;
    const results: (PublishResult | undefined)[] = [];
    const requests: Request[] = [];
    for (const { message, delay = 0 } of messages) {
      const payload = encodeMessage(message);
      const error = this.#refusalOf(message.id, { bytes: payload.length, delay, priority: message.priority });
      results.push(error === undefined ? undefined : { status: "refused", error });
      if (error === undefined) requests.push({ subject: subjectOf(message.queue), payload });
    }
    const replies = requests.length === 0 ? [] : await this.#ask(requests, monotonicNow() + timeout);
    const next = replies[Symbol.iterator]();
    return results.map((result) => result ?? toResult(next.next().value));
  }

  #refusalOf(
    id: string,
    {
      bytes,
      delay,
      priority = defaultPriority,
    }: { readonly bytes: number; readonly delay: number; readonly priority: number | undefined },
  ): TaskferryError | undefined {
    const { maxMessageBytes } = this.#parts;
    if (delay > 0) {
      return new UnsupportedCapabilityError(
        "delay",
        "NATS without JetStream keeps nothing, so it cannot delay: leave out `delay`.",
      );
    }
    if (priority !== defaultPriority) {
      return new UnsupportedCapabilityError(
        "priority",
        "NATS without JetStream has no priorities: leave out `priority`.",
      );
    }
    if (bytes <= maxMessageBytes) return undefined;
    const text = `Expected a message of at most ${maxMessageBytes} bytes, got ${bytes}. Send a reference to the data.`;
    return new MessageError("MESSAGE_TOO_LARGE", text, { id });
  }

  /** Sends once: what was sent twice might be received twice. */
  async #ask(requests: readonly Request[], deadline: number): Promise<readonly (Msg | undefined)[]> {
    const { connection } = this.#parts;
    for (;;) {
      const left = deadline - monotonicNow();
      if (!(await connection.whenConnected(left))) throw connection.unavailable("there is no connection");
      try {
        return (await connection.ask(requests, Math.max(1, deadline - monotonicNow()))).replies;
      } catch (error) {
        // Lost before anything was sent.
        if (!isTaskferryError(error, "BROKER_UNAVAILABLE") || !error.retryable) throw error;
        await wait(Math.min(10, Math.max(1, left)));
      }
    }
  }
}

function toResult(reply: Msg | undefined): PublishResult {
  if (reply === undefined) return unanswered;
  if (hasNoResponders(reply)) {
    const text = "No worker listens to this queue. Start one, or use a broker that keeps messages.";
    return { status: "refused", error: new BrokerError("NO_RECEIVERS", text) };
  }
  if (reply.string() !== answers.full) return accepted;
  const text = "The worker that was chosen has no room for more messages. Try again later, or start more workers.";
  return { status: "refused", error: new BrokerError("BROKER_FULL", text) };
}
