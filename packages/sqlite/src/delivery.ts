import { type Delivery, decodeMessage, isTaskferryError, type MessageError, monotonicNow } from "@taskferry/core";
import type { LeaseReference, TakenMessage } from "./protocol.ts";

/** A message as its consumer hands it out. The token is the lease. */
export function toDelivery(taken: TakenMessage, token: LeaseReference): Delivery {
  const base = { deliveryCount: taken.deliveries, leaseUntil: leaseEnd(taken.until), token };
  try {
    return { ...base, message: decodeMessage(taken.bytes) };
  } catch (error) {
    if (!isTaskferryError(error)) throw error;
    return { ...base, malformed: { bytes: taken.bytes, error, id: (error as MessageError).id } };
  }
}

/** The end of a lease, which the file knows in wall-clock time, on the clock of `monotonicNow()`. */
export function leaseEnd(until: number): number {
  return monotonicNow() + (until - Date.now());
}
