import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { type Durable, type DurableInfo, findDurable } from "./durables.ts";
import { StoredMessages } from "./stored-messages.ts";

export interface JanitorParts {
  readonly connection: Connection;
  readonly api: Api;
}

/** Removed in one go at most. */
const most = 1_000;

/**
 * A server that was killed may bring back messages that were acknowledged: nobody gets them, and they take up room for
 * good. They are told from others only while nothing is held: the floor of a consumer that has delivered something twice
 * may lie above what it has not settled. Removed one by one: a purge would have the server forget who holds what.
 */
export async function removeOrphans(parts: JanitorParts, durable: Durable): Promise<void> {
  const stored = new StoredMessages(parts.api, durable.stream);
  const before = await forgetGone(parts, durable, stored);
  if (before === undefined || before.num_ack_pending > 0) return;
  const floor = Math.min(before.ack_floor.stream_seq, before.delivered.stream_seq);
  if (floor === 0) return;
  const orphans: number[] = [];
  for await (const { sequence } of stored.from(1, durable.filter)) {
    if (sequence > floor || orphans.length === most) break;
    orphans.push(sequence);
  }
  if (orphans.length > 0) await stored.remove(orphans);
}

/**
 * Such a server may also hold for delivered what is not in the stream any more, and tries for ever to deliver it again. It
 * is acknowledged once more, from the floor upwards: as it is not there, nothing can be lost.
 */
async function forgetGone(
  { connection, api }: JanitorParts,
  durable: Durable,
  stored: StoredMessages,
): Promise<DurableInfo | undefined> {
  const { stream, name } = durable;
  let info = await findDurable(api, durable);
  for (let round = 0; info !== undefined && info.num_ack_pending > 0 && round < most; round += 1) {
    const { stream_seq: floor, consumer_seq: place } = info.ack_floor;
    const gone = await firstGone(stored, durable, { from: floor + 1, to: info.delivered.stream_seq });
    if (gone === undefined) return info;
    await connection.request({ subject: `$JS.ACK.${stream}.${name}.1.${gone}.${place + 1}.0.0`, payload: "+ACK" });
    const next = await findDurable(api, durable);
    if (next !== undefined && next.ack_floor.stream_seq <= floor) return next;
    info = next;
  }
  return info;
}

/** The first number under which nothing is stored, unless a message of that consumer stands before it. */
async function firstGone(
  stored: StoredMessages,
  { filter }: Durable,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<number | undefined> {
  const own = filter.slice(0, -1);
  for (let sequence = from; sequence <= Math.min(to, from + most); sequence += 1) {
    const found = await stored.at(sequence);
    if (found === undefined) return sequence;
    if (found.subject.startsWith(own)) return undefined;
  }
  return undefined;
}
