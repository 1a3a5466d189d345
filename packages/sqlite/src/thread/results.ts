import type { ResultItem } from "../protocol.ts";
import { type Blob, type Session, toBytes } from "./session.ts";
import { readSequence, type Transaction } from "./transaction.ts";

/** Stores an outcome unless one of the same run or a higher one stands; gives what stands instead. */
export function storeResult(transaction: Transaction, item: ResultItem): Uint8Array | undefined {
  const { session, now } = transaction;
  const won = session.run(
    `INSERT INTO results (sequence, id, run, expires_at, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (id) DO UPDATE SET sequence = ?1, run = ?3, expires_at = ?4, bytes = ?5
     WHERE run < ?3 OR expires_at <= ?6`,
    transaction.next("result"),
    item.id,
    item.run,
    now + item.ttl,
    item.bytes,
    now,
  );
  if (won > 0) return undefined;
  const standing = session.row<[Blob]>("SELECT bytes FROM results WHERE id = ?", item.id);
  return standing === undefined ? undefined : toBytes(standing[0]);
}

export function readResult(session: Session, id: string, run = 0): Uint8Array | undefined {
  const found = session.row<[Blob]>(
    "SELECT bytes FROM results WHERE id = ? AND run >= ? AND expires_at > ?",
    id,
    run,
    Date.now(),
  );
  return found === undefined ? undefined : toBytes(found[0]);
}

/** Whether there was one that had not expired. */
export function deleteResult({ session, now }: Transaction, id: string): boolean {
  const found = session.row<[number]>("DELETE FROM results WHERE id = ? RETURNING expires_at", id);
  return found !== undefined && found[0] > now;
}

export interface ResultWait {
  readonly id: string;
  readonly run: number;
  succeed(bytes: Uint8Array | undefined): void;
}

/** Those of this process who wait for outcomes. */
export interface ResultWaits {
  add(number: number, wait: ResultWait): void;
  /** Ends such a wait, if there is one: answers with nothing. */
  cancel(number: number): void;
  /** Outcomes may have been stored: reads the new ones once, for all who wait. */
  check(): void;
  count(): number;
}

/** Outcomes read at once: what lies between them costs little, and their bytes are read only for those who wait. */
const pageSize = 1_000;

export function createResultWaits(reader: Session): ResultWaits {
  const byNumber = new Map<number, ResultWait>();
  const byId = new Map<string, Set<number>>();
  let seen = 0;

  const remove = (number: number): ResultWait | undefined => {
    const wait = byNumber.get(number);
    if (wait === undefined) return undefined;
    byNumber.delete(number);
    const others = byId.get(wait.id);
    others?.delete(number);
    if (others?.size === 0) byId.delete(wait.id);
    return wait;
  };
  const answer = (id: string): void => {
    for (const number of byId.get(id) ?? []) {
      const wait = byNumber.get(number);
      const bytes = wait && readResult(reader, id, wait.run);
      if (bytes !== undefined) remove(number)?.succeed(bytes);
    }
  };
  return {
    add: (number, wait) => {
      if (byNumber.size === 0) seen = readSequence(reader, "result");
      const bytes = readResult(reader, wait.id, wait.run);
      if (bytes !== undefined) return wait.succeed(bytes);
      byNumber.set(number, wait);
      byId.set(wait.id, (byId.get(wait.id) ?? new Set()).add(number));
    },
    cancel: (number) => remove(number)?.succeed(undefined),
    check: () => {
      while (byNumber.size > 0) {
        const sql = "SELECT sequence, id FROM results WHERE sequence > ? ORDER BY sequence LIMIT ?";
        const stored = reader.rows<[number, string]>(sql, seen, pageSize);
        seen = stored.at(-1)?.[0] ?? seen;
        for (const [, id] of stored) if (byId.has(id)) answer(id);
        if (stored.length < pageSize) return;
      }
    },
    count: () => byNumber.size,
  };
}
