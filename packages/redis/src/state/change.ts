import type { AnnouncedChange, StateKey } from "@taskferry/core";
import { keyOf } from "./names.ts";

/** A change as it came through pub/sub; its revision is one more than that of the change before under the same first segment. */
export interface HeardChange extends AnnouncedChange {
  readonly key: StateKey;
}

/** Reads `put REVISION EXPIRY LENGTH NAMEVALUE` and `delete REVISION -1 LENGTH NAME`; nothing else. */
export function parseChange(message: Buffer): HeardChange | undefined {
  const head = /^(put|delete) (\d+) (-?\d+) (\d+) /.exec(message.toString("latin1", 0, 100));
  if (head === null) return undefined;
  const [whole, kind, revision = "", expiry, length] = head;
  const key = keyOf(message.toString("utf8", whole.length, whole.length + Number(length)));
  if (kind === "delete") return { key, revision: Number(revision), change: { type: "delete", key } };
  const expiresAt = Number(expiry);
  const value = message.subarray(whole.length + Number(length));
  const entry = { key, value, revision, ...(expiresAt >= 0 && { expiresAt }) };
  return { key, revision: Number(revision), change: { type: "put", entry } };
}
