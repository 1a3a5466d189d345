import type { AddRequest, IncrementRequest, Output } from "../protocol.ts";
import { type Blob, type Session, toBytes } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** Adds to a counter unless that would pass its ceiling. */
export function increment({ session, now }: Transaction, request: IncrementRequest): Output<"increment"> {
  const { key, by, ttl, ceiling } = request;
  const sql = "SELECT value FROM counters WHERE key = ? AND expires_at > ?";
  const current = session.row<[number]>(sql, key, now)?.[0];
  const value = (current ?? 0) + by;
  if (ceiling !== undefined && value > ceiling) return { value: current ?? 0, added: false };
  if (current !== undefined) session.run("UPDATE counters SET value = ? WHERE key = ?", value, key);
  else session.run("INSERT OR REPLACE INTO counters (key, value, expires_at) VALUES (?, ?, ?)", key, value, now + ttl);
  return { value, added: true };
}

/** Adds members to a set, or renews them. Answers the places in the request of those that were added. */
export function addMembers({ session, now }: Transaction, request: AddRequest): Output<"addMembers"> {
  const { set, members, ttl, max = Number.POSITIVE_INFINITY } = request;
  const added: number[] = [];
  let size = countMembers(session, set, now);
  members.forEach((member, index) => {
    const sql = "UPDATE members SET expires_at = ? WHERE key = ? AND member = ? AND expires_at > ?";
    if (session.run(sql, now + ttl, set, member, now) > 0 || size >= max) return;
    session.run("INSERT OR REPLACE INTO members (key, member, expires_at) VALUES (?, ?, ?)", set, member, now + ttl);
    size += 1;
    added.push(index);
  });
  return { added, size };
}

export function removeMembers(transaction: Transaction, request: RemoveRequest): Output<"removeMembers"> {
  const { session, now } = transaction;
  const { set, members } = request;
  const removed = members.filter((member) => {
    const sql = "DELETE FROM members WHERE key = ? AND member = ? RETURNING expires_at";
    const found = session.row<[number]>(sql, set, member);
    return found !== undefined && found[0] > now;
  });
  return { removed: removed.length, size: countMembers(session, set, now) };
}

interface RemoveRequest {
  readonly set: Uint8Array;
  readonly members: readonly Uint8Array[];
}

function countMembers(session: Session, set: Uint8Array, now: number): number {
  const sql = "SELECT count(*) FROM members WHERE key = ? AND expires_at > ?";
  return session.row<[number]>(sql, set, now)?.[0] ?? 0;
}

export function listMembers(session: Session, set: Uint8Array): readonly Uint8Array[] {
  const sql = "SELECT member FROM members WHERE key = ? AND expires_at > ?";
  return session.rows<[Blob]>(sql, set, Date.now()).map(([member]) => toBytes(member));
}
