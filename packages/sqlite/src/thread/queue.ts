import type { LeaseReference, PublishAnswer, PublishItem, SettleItem, TakenMessage, TakeRequest } from "../protocol.ts";
import type { BandTurns } from "./band-turns.ts";
import { type Blob, type Session, toBytes } from "./session.ts";
import type { Transaction } from "./transaction.ts";

/** Messages that a transaction moves from one section to another at most, so that a million due at once stall nobody. */
const moveLimit = 500;

export function publish(transaction: Transaction, item: PublishItem): PublishAnswer {
  const { session, now } = transaction;
  const sequence = transaction.next("message");
  const isNew = session.run(
    `INSERT INTO seen (queue, key, sequence) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET sequence = excluded.sequence, forget_at = NULL WHERE forget_at <= ?`,
    item.queue,
    item.key,
    sequence,
    now,
  );
  if (isNew === 0) return "duplicate";
  session.run("INSERT INTO messages (sequence, key, bytes) VALUES (?, ?, ?)", sequence, item.key, item.bytes);
  if (item.delay > 0) {
    const due = now + Math.ceil(item.delay);
    session.run(
      "INSERT INTO delayed (sequence, queue, due, band) VALUES (?, ?, ?, ?)",
      sequence,
      item.queue,
      due,
      item.band,
    );
  } else {
    session.run("INSERT INTO ready (queue, band, sequence) VALUES (?, ?, ?)", item.queue, item.band, sequence);
  }
  return "accepted";
}

/** Whether there is something to take: in the line, due, or of an owner whose lease is over. */
export function hasReady(session: Session, queue: string): boolean {
  const found = session.row<[number]>(
    `SELECT EXISTS (SELECT 1 FROM ready WHERE queue = ?1)
         OR EXISTS (SELECT 1 FROM delayed WHERE queue = ?1 AND due <= ?2)
         OR EXISTS (SELECT 1 FROM leases WHERE queue = ?1 AND until <= ?2)`,
    queue,
    Date.now(),
  );
  return found?.[0] === 1;
}

/** When there will next be something to take without anybody's doing, in epoch milliseconds. */
export function nextDue(session: Session, queue: string): number | undefined {
  const found = session.row<[number | null]>(
    `SELECT min(at) FROM (
       SELECT min(due) AS at FROM delayed WHERE queue = ?1 UNION ALL SELECT min(until) FROM leases WHERE queue = ?1
     )`,
    queue,
  );
  return found?.[0] ?? undefined;
}

export function take(transaction: Transaction, request: TakeRequest, turns: BandTurns): readonly TakenMessage[] {
  const { session, now } = transaction;
  moveDue(transaction, request.queue, "delayed");
  moveDue(transaction, request.queue, "leases");
  const until = now + request.lease;
  const counts = session.row<[number, number, number]>(waitingSql, request.queue, request.max) ?? [0, 0, 0];
  const order = turns.share(request.queue, counts, request.max);
  const lines = [0, 1, 2].map((band) => {
    const count = order.reduce((sum, turn) => sum + (turn === band ? 1 : 0), 0);
    return count === 0 ? [] : takeBand(session, { ...request, band, count, until });
  });
  const taken = order.map((band) => lines[band]?.shift());
  return taken.filter((message) => message !== undefined);
}

// Looks no further than needed: what waits behind it costs nothing.
const waitingSql = `SELECT ${[0, 1, 2]
  .map((band) => `(SELECT count(*) FROM (SELECT 1 FROM ready WHERE queue = ?1 AND band = ${band} LIMIT ?2))`)
  .join(", ")}`;

interface BandTake extends TakeRequest {
  readonly band: number;
  readonly count: number;
  readonly until: number;
}

function takeBand(session: Session, { queue, band, count, until, owner }: BandTake): TakenMessage[] {
  const rows = session.rows<[number, number, Blob | null]>(
    `SELECT ready.sequence, ready.deliveries + 1, messages.bytes
     FROM ready LEFT JOIN messages ON messages.sequence = ready.sequence
     WHERE ready.queue = ? AND ready.band = ? ORDER BY ready.sequence LIMIT ?`,
    queue,
    band,
    count,
  );
  const last = rows.at(-1)?.[0] ?? 0;
  session.run(
    `INSERT INTO leases (sequence, queue, until, owner, band, deliveries)
     SELECT sequence, queue, ?, ?, band, deliveries + 1 FROM ready WHERE queue = ? AND band = ? AND sequence <= ?`,
    until,
    owner,
    queue,
    band,
    last,
  );
  session.run("DELETE FROM ready WHERE queue = ? AND band = ? AND sequence <= ?", queue, band, last);
  return rows.map(([sequence, deliveries, bytes]) => ({
    sequence,
    deliveries,
    until,
    bytes: bytes === null ? new Uint8Array() : toBytes(bytes),
  }));
}

/** Puts what is due, or whose lease is over, into the line at the place of its number. */
function moveDue({ session, now }: Transaction, queue: string, source: "delayed" | "leases"): void {
  const time = source === "delayed" ? "due" : "until";
  const due = `FROM ${source} WHERE queue = ?1 AND ${time} <= ?2 ORDER BY ${time}, sequence LIMIT ?3`;
  const insert = `INSERT INTO ready (queue, band, sequence, deliveries) SELECT queue, band, sequence, deliveries ${due}`;
  if (session.run(insert, queue, now, moveLimit) === 0) return;
  session.run(`DELETE FROM ${source} WHERE sequence IN (SELECT sequence ${due})`, queue, now, moveLimit);
}

export function extend({ session, now }: Transaction, lease: LeaseReference, length: number): number {
  const until = now + length;
  const sql = "UPDATE leases SET until = ? WHERE sequence = ? AND owner = ?";
  return session.run(sql, until, lease.sequence, lease.owner) > 0 ? until : 0;
}

export function abandon({ session }: Transaction, { sequence, owner }: LeaseReference): void {
  session.run("UPDATE leases SET until = 0 WHERE sequence = ? AND owner = ?", sequence, owner);
}

/** Whether the lease was held; if not, nothing is changed. */
export function settle(transaction: Transaction, item: SettleItem, forgetAt: number): boolean {
  const { session } = transaction;
  if (item.kind === "release") return release(session, item);
  const held = session.row<[string]>(
    "DELETE FROM leases WHERE sequence = ? AND owner = ? RETURNING queue",
    item.sequence,
    item.owner,
  );
  if (held === undefined) return false;
  const [queue] = held;
  if (item.kind === "reject") bury(transaction, { ...item, queue });
  drop(session, { queue, sequence: item.sequence, forgetAt });
  if (item.kind === "retry") publish(transaction, item.next);
  return true;
}

function release(session: Session, { sequence, owner }: LeaseReference): boolean {
  const moved = session.run(
    `INSERT INTO ready (queue, band, sequence, deliveries)
     SELECT queue, band, sequence, max(deliveries - 1, 0) FROM leases WHERE sequence = ? AND owner = ?`,
    sequence,
    owner,
  );
  if (moved > 0) session.run("DELETE FROM leases WHERE sequence = ?", sequence);
  return moved > 0;
}

function bury(transaction: Transaction, item: Extract<SettleItem, { kind: "reject" }> & { queue: string }): void {
  transaction.session.run(
    `INSERT INTO dead (sequence, queue, id, bytes, code, message, at)
     SELECT ?, ?, ?, bytes, ?, ?, ? FROM messages WHERE sequence = ?`,
    transaction.next("dead"),
    item.queue,
    item.id ?? null,
    item.reason.code,
    item.reason.message,
    item.reason.at,
    item.sequence,
  );
}

/** Removes a message that is in no section any more, and remembers that it was there. */
export function drop(session: Session, { queue, sequence, forgetAt }: Drop): void {
  const dropped = session.row<[string | null]>("DELETE FROM messages WHERE sequence = ? RETURNING key", sequence);
  const key = dropped?.[0];
  if (typeof key !== "string") return;
  session.run("UPDATE seen SET forget_at = ? WHERE queue = ? AND key = ?", forgetAt, queue, key);
}

interface Drop {
  readonly queue: string;
  readonly sequence: number;
  readonly forgetAt: number;
}
