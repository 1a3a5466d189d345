import { setTimeout as wait } from "node:timers/promises";
import { createInbox } from "@nats-io/transport-node";
import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { nanoseconds } from "../streams.ts";
import { type Durable, type DurableInfo, findDurable, putDurable } from "./durables.ts";

/** Milliseconds to wait for workers that need a longer lease. */
const objections = 250;

/** The server waits a little longer than a lease, so that its end is never a surprise to the owner. */
export function ackWaitOf(lease: number): number {
  return lease + Math.min(2_000, Math.max(50, Math.round(lease / 10)));
}

/** How much of a lease the server's terms allow without being told again. */
export function leaseWithin({ ackWait }: { readonly ackWait: number }, lease: number): number {
  return ackWait >= ackWaitOf(lease) ? lease : Math.floor(ackWait * 0.9);
}

export interface LeaseTermsParts {
  readonly connection: Connection;
  readonly api: Api;
  readonly note: string;
  readonly lease: number;
}

/**
 * JetStream has one time for all workers of a consumer, after which an unacknowledged message is delivered again. It is
 * kept at the longest lease of those who work on the queue: raised by whoever needs more, and lowered when nobody
 * objects. Neither while messages are held, unless `isSettled`: raised, it would keep those of a dead worker from coming
 * back; lowered, it would take those of a live one. Until then {@link leaseWithin} says what can be had.
 *
 * @param isSettled - that all that was held under former terms has been renewed, or has come back.
 */
export async function ensureTerms(durable: Durable, parts: LeaseTermsParts, isSettled = false): Promise<DurableInfo> {
  const { connection, api, note, lease } = parts;
  const needed = ackWaitOf(lease);
  const found = await findDurable(api, durable);
  if (found === undefined) return putDurable(api, durable, needed);
  const current = found.config.ack_wait / nanoseconds;
  const isHeld = found.num_ack_pending > 0;
  if (current === needed) return found;
  if (current < needed && isHeld && !isSettled) return found;
  if (current > needed && (isHeld || (await isObjected(parts)))) return found;
  const set = await putDurable(api, durable, needed);
  connection.driver.publish(note, JSON.stringify({ ackWait: needed }));
  return set;
}

/** Asks all who work on the queue whether they need more. */
async function isObjected({ connection, note, lease }: LeaseTermsParts): Promise<boolean> {
  const reply = createInbox(connection.inboxPrefix);
  const end = new AbortController();
  let wasObjected = false;
  const subscription = connection.driver.subscribe(reply, {
    callback: (_error, message) => {
      // Nobody but the server itself, to say that nobody is there.
      wasObjected ||= message.data.length > 0;
      end.abort();
    },
  });
  connection.driver.publish(note, JSON.stringify({ lease }), { reply });
  await wait(objections, undefined, { signal: end.signal }).catch(() => undefined);
  subscription.unsubscribe();
  return wasObjected;
}
