import { type Delivery, readDelivery } from "@taskferry/core";
import { deliveriesBefore } from "../copies.ts";
import type { Held } from "./intake.ts";

export function toDelivery(held: Held): Delivery {
  const deliveryCount = deliveriesBefore(held.raw) + 1;
  return readDelivery(held.raw.content, { token: held, deliveryCount, leaseUntil: undefined });
}

export function heldOf({ token }: Delivery): Held {
  return token as Held;
}
