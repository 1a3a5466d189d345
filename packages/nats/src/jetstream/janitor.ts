import type { Api } from "../api.ts";
import { type Durable, findDurable } from "./durables.ts";
import { StoredMessages } from "./stored-messages.ts";

/** Removed in one go at most. */
const most = 1_000;

/**
 * A server that was killed may bring back messages that were acknowledged: nobody gets them, and they take up room for
 * good. They are told from others only while nothing is held: the floor of a consumer that has delivered something twice
 * may lie above what it has not settled. Removed one by one: a purge would have the server forget who holds what.
 */
export async function removeOrphans(api: Api, durable: Durable): Promise<void> {
  const before = await findDurable(api, durable);
  if (before === undefined || before.num_ack_pending > 0) return;
  const floor = Math.min(before.ack_floor.stream_seq, before.delivered.stream_seq);
  if (floor === 0) return;
  const stored = new StoredMessages(api, durable.stream);
  const orphans: number[] = [];
  for await (const { sequence } of stored.from(1, durable.filter)) {
    if (sequence > floor || orphans.length === most) break;
    orphans.push(sequence);
  }
  if (orphans.length > 0) await stored.remove(orphans);
}
