import { type Delivery, monotonicNow, readDelivery } from "@taskferry/core";
import type { LeaseReference, TakenMessage } from "./protocol.ts";

/** A message as its consumer hands it out. The token is the lease. */
export function toDelivery(taken: TakenMessage, token: LeaseReference): Delivery {
  return readDelivery(taken.bytes, { token, deliveryCount: taken.deliveries, leaseUntil: leaseEnd(taken.until) });
}

/** The end of a lease, which the file knows in wall-clock time, on the clock of `monotonicNow()`. */
export function leaseEnd(until: number): number {
  return monotonicNow() + (until - Date.now());
}
