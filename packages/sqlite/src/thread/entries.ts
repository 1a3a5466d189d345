import type { EntryDelete, EntryListRequest, EntryPut, EntryPutAnswer, EntryRow } from "../protocol.ts";
import { type Blob, type Session, toBytes } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** Milliseconds for which it is remembered that an entry was deleted. Who watches and was away for longer begins again. */
const deletionMemory = 600_000;

type Columns = [key: Blob, value: Blob, revision: number, expiresAt: number | null];

const live = "value IS NOT NULL AND (expires_at IS NULL OR expires_at > ?)";

export function readEntry(session: Session, key: Uint8Array, now = Date.now()): EntryRow | undefined {
  const sql = `SELECT key, value, revision, expires_at FROM entries WHERE key = ? AND ${live}`;
  const found = session.row<Columns>(sql, key, now);
  return found === undefined ? undefined : toEntry(found);
}

export function putEntry(transaction: Transaction, put: EntryPut): EntryPutAnswer {
  const { session, now } = transaction;
  if (put.expect !== undefined) {
    const current = readEntry(session, put.key, now);
    if ((current?.revision ?? 0) !== put.expect) return { current };
  }
  const revision = transaction.next("revision");
  const expiresAt = put.ttl === undefined ? null : now + put.ttl;
  write(session, [put.key, put.value, revision, expiresAt]);
  return { revision };
}

/** Whether it was there and is gone. */
export function deleteEntry(transaction: Transaction, { key, expect }: EntryDelete): boolean {
  const { session, now } = transaction;
  const current = readEntry(session, key, now);
  if (current === undefined || (expect !== undefined && current.revision !== expect)) return false;
  write(session, [key, null, transaction.next("revision"), now + deletionMemory]);
  return true;
}

function write(session: Session, columns: readonly [Uint8Array, Uint8Array | null, number, number | null]): void {
  session.run(
    `INSERT INTO entries (key, value, revision, expires_at) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3, expires_at = ?4`,
    ...columns,
  );
}

export function listEntries(session: Session, { from, to, limit }: EntryListRequest): readonly EntryRow[] {
  const sql = `SELECT key, value, revision, expires_at FROM entries WHERE key >= ? AND key < ? AND ${live} ORDER BY key LIMIT ?`;
  return session.rows<Columns>(sql, from, to, Date.now(), limit).map(toEntry);
}

function toEntry([key, value, revision, expiresAt]: Columns): EntryRow {
  return { key: toBytes(key), value: toBytes(value), revision, expiresAt: expiresAt ?? undefined };
}
