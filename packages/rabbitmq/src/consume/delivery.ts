import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";
import { deliveriesBefore } from "../copies.ts";
import type { Held } from "./intake.ts";

export function toDelivery(held: Held): Delivery {
  const { content } = held.raw;
  const handout = { deliveryCount: deliveriesBefore(held.raw) + 1, leaseUntil: undefined, token: held };
  try {
    return { ...handout, message: decodeMessage(content) };
  } catch (error) {
    const known = isTaskferryError(error)
      ? error
      : new MessageError("MESSAGE_MALFORMED", `Expected a message, got bytes that cannot be read: ${String(error)}`);
    return {
      ...handout,
      malformed: { bytes: content, error: known, id: known instanceof MessageError ? known.id : undefined },
    };
  }
}

export function heldOf({ token }: Delivery): Held {
  return token as Held;
}
