import type { StateChange } from "@taskferry/core";
import { keyOf } from "./names.ts";

/** A change as it came through pub/sub. */
export interface NamedChange {
  readonly name: string;
  /** The first segment of its key. */
  readonly segment: string;
  /** One more than that of the change before under the same first segment. */
  readonly revision: number;
  readonly change: StateChange;
}

/** Reads `put REVISION EXPIRY LENGTH NAMEVALUE` and `delete REVISION -1 LENGTH NAME`; nothing else. */
export function parseChange(message: Buffer): NamedChange | undefined {
  const head = /^(put|delete) (\d+) (-?\d+) (\d+) /.exec(message.toString("latin1", 0, 100));
  if (head === null) return undefined;
  const [whole, kind, revision = "", expiry, length] = head;
  const name = message.toString("utf8", whole.length, whole.length + Number(length));
  const key = keyOf(name);
  const [segment = ""] = key;
  if (kind === "delete") return { name, segment, revision: Number(revision), change: { type: "delete", key } };
  const expiresAt = Number(expiry);
  const value = message.subarray(whole.length + Number(length));
  return {
    name,
    segment,
    revision: Number(revision),
    change: { type: "put", entry: { key, value, revision, ...(expiresAt >= 0 && { expiresAt }) } },
  };
}
