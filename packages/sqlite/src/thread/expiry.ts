import type { Session } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** Rows removed in one transaction. */
const limit = 500;

interface Expiry {
  readonly isDue: string;
  readonly remove: string;
}

/** What has had its time, by table. Reading does not see it any more; here its room is given back. */
const expiries: readonly Expiry[] = [
  expiry({ table: "seen", key: "queue, key", time: "forget_at" }),
  expiry({ table: "results", key: "sequence", time: "expires_at" }),
  expiry({ table: "entries", key: "key", time: "expires_at" }),
  expiry({ table: "counters", key: "key", time: "expires_at" }),
  expiry({ table: "members", key: "key, member", time: "expires_at" }),
];

function expiry({ table, key, time }: { table: string; key: string; time: string }): Expiry {
  const due = `FROM ${table} WHERE ${time} <= ?`;
  return {
    isDue: `SELECT 1 ${due} LIMIT 1`,
    remove: `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} ${due} ORDER BY ${time} LIMIT ${limit})`,
  };
}

export function hasExpired(session: Session): boolean {
  const now = Date.now();
  return expiries.some(({ isDue }) => session.row(isDue, now) !== undefined);
}

/** Removes some of what has expired. */
export function removeExpired(transaction: Transaction): void {
  const { session, now } = transaction;
  // Who watches and has not come to these deletions yet must learn that it missed some.
  const deletions = session.row<[number | null]>(
    `SELECT max(revision) FROM (
       SELECT revision, value FROM entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ${limit}
     ) WHERE value IS NULL`,
    now,
  );
  transaction.raise("forgotten", deletions?.[0] ?? 0);
  for (const { remove } of expiries) session.run(remove, now);
}
