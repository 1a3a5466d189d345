import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";

export type Handout = Pick<Delivery, "token" | "deliveryCount" | "leaseUntil">;

/** A delivery of what was received: of a message, or of bytes that are none. */
export function toDelivery(bytes: Buffer, handout: Handout): Delivery {
  const { token, deliveryCount, leaseUntil } = handout;
  try {
    return { token, deliveryCount, leaseUntil, message: decodeMessage(bytes) };
  } catch (error) {
    const known = isTaskferryError(error)
      ? error
      : new MessageError("MESSAGE_MALFORMED", `Expected a message, got bytes that cannot be read: ${String(error)}`);
    return {
      ...handout,
      malformed: { bytes, error: known, id: known instanceof MessageError ? known.id : undefined },
    };
  }
}
