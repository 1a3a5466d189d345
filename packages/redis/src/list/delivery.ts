import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";

/** What a delivery needs to be settled: its member in the lists, and who holds it. */
export interface Token {
  readonly key: Buffer | string;
  readonly owner: string;
}

export interface Handout {
  readonly token: Token;
  readonly deliveryCount: number;
  readonly leaseUntil: number;
}

export function toDelivery(bytes: Buffer, handout: Handout): Delivery {
  try {
    return { ...handout, message: decodeMessage(bytes) };
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

export function tokenOf(delivery: Delivery): Token {
  return delivery.token as Token;
}
