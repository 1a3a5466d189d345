import { randomUUID } from "node:crypto";
import type { DeadLetterReason, Delivery, Message } from "@taskferry/core";
import { expect } from "vitest";

/** A message with a fresh id, whose body is its id. */
export function createMessage(fields: Partial<Message> & Pick<Message, "queue">): Message {
  const id = fields.id ?? randomUUID();
  return {
    id,
    run: 0,
    hop: 0,
    task: "suite.task",
    attempt: 0,
    enqueuedAt: Date.now(),
    contentType: "application/octet-stream",
    body: Buffer.from(id),
    ...fields,
  };
}

/** The same message, published once more. */
export function nextHop(message: Message, fields: Partial<Message> = {}): Message {
  return { ...message, hop: message.hop + 1, ...fields };
}

export function messageOf(delivery: Delivery): Message {
  if (delivery.message !== undefined) return delivery.message;
  throw new Error(`Expected a message, got bytes that are none: ${delivery.malformed.error.message}`);
}

export function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map((delivery) => messageOf(delivery).id);
}

/** `id:run:hop` of each, sorted, to compare what was delivered with what was published, whatever the order. */
export function sortedKeys(messages: readonly Message[]): string[] {
  return messages.map(({ id, run, hop }) => `${id}:${run}:${hop}`).sort();
}

/** Expects the very same message: each field and each byte. */
export function expectSameMessage(actual: Message, expected: Message): void {
  expect(asText(actual)).toEqual(asText(expected));
}

/** Expects these messages, each once, in any order. */
export function expectEachOnce(deliveries: readonly Delivery[], expected: readonly Message[]): void {
  expect(sortedKeys(deliveries.map(messageOf)), "each message once").toEqual(sortedKeys(expected));
}

export function rejection(code: DeadLetterReason["code"] = "TASK_FAILED"): DeadLetterReason {
  return { code, message: 'gave up: é, 日本, a "quote" and\na line', at: Date.now() };
}

/** For each kind of settlement one of this delivery. */
export function settlementsOf(delivery: Delivery) {
  const message = messageOf(delivery);
  return {
    ack: { kind: "ack", delivery },
    retry: { kind: "retry", delivery, next: nextHop(message), delay: 0 },
    reject: { kind: "reject", delivery, reason: rejection() },
    release: { kind: "release", delivery },
  } as const;
}

function asText(message: Message): object {
  return { ...message, body: Buffer.from(message.body).toString("base64") };
}
