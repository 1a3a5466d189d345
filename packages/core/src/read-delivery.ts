import type { Delivery } from "./broker.ts";
import { isTaskferryError, MessageError } from "./errors.ts";
import { decodeMessage } from "./frame.ts";

/** What a delivery has besides its message. */
export type Handout = Pick<Delivery, "token" | "deliveryCount" | "leaseUntil">;

/** For brokers whose messages are frames: the delivery of bytes, be they a message or not. They are not copied. */
export function readDelivery(bytes: Uint8Array, { token, deliveryCount, leaseUntil }: Handout): Delivery {
  try {
    // Spelled out: a copy with more fields costs fifty times as much, for every message.
    return { token, deliveryCount, leaseUntil, message: decodeMessage(bytes) };
  } catch (error) {
    return { token, deliveryCount, leaseUntil, malformed: malformedOf(bytes, error) };
  }
}

function malformedOf(bytes: Uint8Array, cause: unknown): NonNullable<Delivery["malformed"]> {
  const error = isTaskferryError(cause)
    ? cause
    : new MessageError("MESSAGE_MALFORMED", `Expected a message, got bytes that cannot be read: ${String(cause)}`);
  return { bytes, error, id: error instanceof MessageError ? error.id : undefined };
}
