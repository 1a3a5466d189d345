import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";
import { deliveriesBefore } from "../copies.ts";
import type { Held } from "./intake.ts";

export function toDelivery(held: Held): Delivery {
  const deliveryCount = deliveriesBefore(held.raw) + 1;
  try {
    return { deliveryCount, leaseUntil: undefined, token: held, message: decodeMessage(held.raw.content) };
  } catch (error) {
    return { deliveryCount, leaseUntil: undefined, token: held, malformed: malformedOf(held.raw.content, error) };
  }
}

function malformedOf(bytes: Uint8Array, cause: unknown) {
  const error = isTaskferryError(cause)
    ? cause
    : new MessageError("MESSAGE_MALFORMED", `Expected a message, got bytes that cannot be read: ${String(cause)}`);
  return { bytes, error, id: error instanceof MessageError ? error.id : undefined };
}

export function heldOf({ token }: Delivery): Held {
  return token as Held;
}
