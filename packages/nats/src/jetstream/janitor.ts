import type { Api } from "../api.ts";
import { findStream } from "../streams.ts";
import { type Durable, findDurable } from "./durables.ts";

/**
 * A server that was killed may bring back messages that were acknowledged: nobody gets them, and they take up room for
 * good. They are told from others only while nothing is held: the floor of a consumer that has delivered something twice
 * may lie above what it has not settled.
 */
export async function removeOrphans(api: Api, durable: Durable): Promise<void> {
  const before = await findDurable(api, durable);
  if (before === undefined || before.ack_floor.stream_seq === 0 || before.num_ack_pending > 0) return;
  const { stream, filter } = durable;
  const info = await findStream(api, stream, { subjects_filter: filter });
  const stored = Object.values(info?.state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  if (stored <= before.num_pending) return;
  await api.call(`STREAM.PURGE.${stream}`, {
    filter,
    seq: Math.min(before.ack_floor.stream_seq, before.delivered.stream_seq) + 1,
  });
}
