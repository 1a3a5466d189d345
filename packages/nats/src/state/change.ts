import type { Msg } from "@nats-io/transport-node";
import type { AnnouncedChange, StateKey } from "@taskferry/core";
import { operationHeader, ttlHeader } from "./values.ts";

/** What the server adds to what it announces. */
const sequenceHeader = "Nats-Sequence";

/** Undefined for what is no announcement of the server's. */
export function readChange(key: StateKey, { headers, data }: Msg, now: number): AnnouncedChange | undefined {
  const sequence = headers?.get(sequenceHeader) ?? "";
  if (headers === undefined || !/^\d+$/.test(sequence)) return undefined;
  const revision = Number(sequence);
  if (headers.get(operationHeader) !== "") return { revision, change: { type: "delete", key } };
  const ttl = headers.get(ttlHeader);
  const entry = { key, value: data, revision: sequence, ...(ttl !== "" && { expiresAt: now + Number(ttl) }) };
  return { revision, change: { type: "put", entry } };
}
