import type { Msg } from "@nats-io/transport-node";
import { type Delivery, readDelivery } from "@taskferry/core";
import { readAckSubject } from "./ack-subject.ts";
import type { Source } from "./source.ts";

/** What a delivery needs to be settled. */
export interface Token {
  /** The subject on which JetStream hears what becomes of it. */
  readonly ack: string;
  readonly source: Source;
  /** Which of the consumers of that name on the server delivered it. */
  readonly incarnation: number;
  /** Its number in the stream. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** Milliseconds by which clocks may differ. */
const clockSlack = 5_000;

/** @param restartedAt - when the server was started: it may have forgotten what it delivered just before. */
export function toDelivery(
  message: Msg,
  source: Source,
  { leaseUntil, restartedAt }: { readonly leaseUntil: number; readonly restartedAt: number },
): Delivery {
  const { subject, reply = "", data } = message;
  const { delivered, sequence, storedAt } = readAckSubject(reply);
  const former = Number(subject.slice(subject.lastIndexOf(".") + 1));
  const token: Token = { ack: reply, source, incarnation: source.incarnation, sequence, bytes: data };
  const isCounted = Number.isFinite(former);
  const count = delivered + (isCounted ? former : 0);
  const isSure = isCounted && (count > 1 || storedAt > restartedAt + clockSlack);
  return readDelivery(data, { token, deliveryCount: isSure ? count : undefined, leaseUntil });
}

export function tokenOf(delivery: Delivery): Token {
  return delivery.token as Token;
}

/** The band that a delivery came from. */
export function bandOrder(delivery: Delivery): number {
  return Number(tokenOf(delivery).source.durable.name.at(-1));
}
