import type { Msg } from "@nats-io/transport-node";
import type { Delivery } from "@taskferry/core";
import { readMessage } from "../read-message.ts";
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

export interface AckSubject {
  readonly delivered: number;
  readonly sequence: number;
  /** When the server stored the message, by its own clock, in epoch milliseconds. */
  readonly storedAt: number;
}

/** Reads `$JS.ACK.STREAM.CONSUMER.DELIVERED.SEQ.CSEQ.TIME.PENDING`; later servers put a domain and an account before. */
export function readAckSubject(subject: string): AckSubject {
  const tokens = subject.split(".");
  const at = tokens.length > 9 ? 6 : 4;
  return {
    delivered: Number(tokens[at]),
    sequence: Number(tokens[at + 1]),
    storedAt: Math.floor(Number(tokens[at + 3]) / 1_000_000),
  };
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
  return { ...readMessage(data), token, deliveryCount: isSure ? count : undefined, leaseUntil };
}

export function tokenOf(delivery: Delivery): Token {
  return delivery.token as Token;
}
