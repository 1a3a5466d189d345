import type { StateEntry } from "@taskferry/core";
import type { EntryRow } from "./protocol.ts";
import { decodeKey } from "./state-key.ts";

export function toEntry({ key, value, revision, expiresAt }: EntryRow): StateEntry {
  return {
    key: decodeKey(key),
    value,
    revision: String(revision),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}
