import type { Msg } from "@nats-io/transport-node";
import type { StateChange, StateKey } from "@taskferry/core";
import { operationHeader, ttlHeader } from "./values.ts";

/** A change as it was announced. */
export interface NamedChange {
  readonly name: string;
  readonly revision: number;
  readonly change: StateChange;
}

/** What the server adds to what it announces. */
const sequenceHeader = "Nats-Sequence";

/** A key as one string. */
export function nameOf(key: StateKey): string {
  return JSON.stringify(key);
}

/** Undefined for what is no announcement of the server's. */
export function readChange(key: StateKey, { headers, data }: Msg, now: number): NamedChange | undefined {
  const revision = headers?.get(sequenceHeader) ?? "";
  if (headers === undefined || !/^\d+$/.test(revision)) return undefined;
  const named = { name: nameOf(key), revision: Number(revision) };
  if (headers.get(operationHeader) !== "") return { ...named, change: { type: "delete", key } };
  const ttl = headers.get(ttlHeader);
  const entry = { key, value: data, revision, ...(ttl !== "" && { expiresAt: now + Number(ttl) }) };
  return { ...named, change: { type: "put", entry } };
}
