import { type Delivery, decodeMessage, isTaskferryError, MessageError } from "@taskferry/core";
import type { ConsumeMessage } from "amqplib";
import { deliveriesBefore } from "../copies.ts";
import type { Band } from "../topology/names.ts";
import type { Intake } from "./intake.ts";

/** One message that was delivered on one channel and not settled there. */
export interface Held {
  readonly intake: Intake;
  readonly band: Band;
  readonly raw: ConsumeMessage;
  /** By which subscription it came. */
  readonly consumerTag: string;
  /** Whether a settlement of it is under way, or done. */
  isEnding: boolean;
}

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
