import type { Input, Output, QueueListRequest, QueueRow, Section } from "../protocol.ts";
import { isInSection } from "./sections.ts";
import { type Blob, type Session, toBytes } from "./session.ts";

/** A key names a row by its number. It begins as no task id does, so that the two cannot be taken for each other. */
const keyPattern = /^_(\d+)$/;

export function sequenceOf(key: string): number | undefined {
  const digits = keyPattern.exec(key)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The queues that hold something. */
export function listQueueNames(session: Session): readonly string[] {
  const names = ["ready", "delayed", "leases", "dead"].flatMap((table) => session.rows<[string]>(namesIn(table)));
  return [...new Set(names.map(([name]) => name))].sort();
}

/** Jumps along the index from name to name; DISTINCT would read every row. */
function namesIn(table: string): string {
  return `WITH RECURSIVE names (name) AS (
      SELECT min(queue) FROM ${table}
      UNION ALL SELECT (SELECT min(queue) FROM ${table} WHERE queue > name) FROM names WHERE name IS NOT NULL
    ) SELECT name FROM names WHERE name IS NOT NULL`;
}

/** The place of a row in its section: when it is due or its lease ends, and its number. */
type Place = readonly [at: number, sequence: number];

/** A page, and a cursor where there is more. */
export function listSection(session: Session, request: QueueListRequest): Output<"listQueue"> {
  const { queue, section, limit, cursor } = request;
  const after = readCursor(section, cursor);
  const places = findPlaces(session, { queue, section, limit: limit + 1, after });
  const page = places.slice(0, limit);
  const rows = page.flatMap((place) => readRow(session, section, place) ?? []);
  const last = places.length > limit ? page.at(-1) : undefined;
  return last === undefined ? { rows } : { rows, cursor: last.join(".") };
}

function readCursor(section: Section, cursor: string | undefined): Place {
  if (cursor === undefined) return section === "dead" ? [0, Number.MAX_SAFE_INTEGER] : [-1, 0];
  const [at = 0, sequence = 0] = cursor.split(".").map(Number);
  return [at, sequence];
}

interface Search {
  readonly queue: string;
  readonly section: Section;
  readonly limit: number;
  readonly after: Place;
}

function findPlaces(session: Session, { queue, section, limit, after: [at, sequence] }: Search): readonly Place[] {
  const find = (sql: string, ...values: readonly number[]): readonly Place[] =>
    session.rows<[number, number]>(`${sql} LIMIT ?`, queue, ...values, limit);
  const now = Date.now();
  switch (section) {
    case "ready": {
      const line = "SELECT 0, sequence FROM ready WHERE queue = ? AND band = ? AND sequence > ? ORDER BY sequence";
      const due = "SELECT 0, sequence FROM delayed WHERE queue = ? AND due <= ? AND sequence > ? ORDER BY sequence";
      const over = "SELECT 0, sequence FROM leases WHERE queue = ? AND until <= ? AND sequence > ? ORDER BY sequence";
      const bands = [0, 1, 2].flatMap((band) => find(line, band, sequence));
      const places = [...bands, ...find(due, now, sequence), ...find(over, now, sequence)];
      return places.sort(([, one], [, other]) => one - other).slice(0, limit);
    }
    case "delayed": {
      const sql =
        "SELECT due, sequence FROM delayed WHERE queue = ? AND (due, sequence) > (?, ?) ORDER BY due, sequence";
      return at < now ? find(sql, now, Number.MAX_SAFE_INTEGER) : find(sql, at, sequence);
    }
    case "running":
      return find(
        "SELECT 0, sequence FROM leases WHERE queue = ? AND until > ? AND sequence > ? ORDER BY sequence",
        now,
        sequence,
      );
    case "dead":
      return find("SELECT 0, sequence FROM dead WHERE queue = ? AND sequence < ? ORDER BY sequence DESC", sequence);
  }
}

function readRow(session: Session, section: Section, [, sequence]: Place): QueueRow | undefined {
  if (section === "dead") return readDead(session, sequence);
  const times = { ready: "NULL", delayed: "delayed.due", running: "leases.until" };
  const join = { ready: "", delayed: "JOIN delayed USING (sequence)", running: "JOIN leases USING (sequence)" };
  const sql = `SELECT bytes, ${times[section]} FROM messages ${join[section]} WHERE messages.sequence = ?`;
  const found = session.row<[Blob, number | null]>(sql, sequence);
  if (found === undefined) return undefined;
  const [bytes, dueAt] = found;
  return { key: `_${sequence}`, bytes: toBytes(bytes), ...(dueAt !== null && { dueAt }) };
}

function readDead(session: Session, sequence: number): QueueRow | undefined {
  const sql = "SELECT bytes, code, message, at FROM dead WHERE sequence = ?";
  const found = session.row<[Blob, string, string, number]>(sql, sequence);
  if (found === undefined) return undefined;
  const [bytes, code, message, at] = found;
  return { key: `_${sequence}`, bytes: toBytes(bytes), reason: { code, message, at } };
}

/** By the key of a page, or by a task's id: its newest row in that section. */
export function readQueueRow(session: Session, request: Input<"readQueue">): QueueRow | undefined {
  const { queue, section, key } = request;
  const number = sequenceOf(key);
  const sequences = number === undefined ? findById(session, request) : [number];
  const sequence = sequences.find((candidate) => isInSection(session, { queue, section, sequence: candidate }));
  return sequence === undefined ? undefined : readRow(session, section, [0, sequence]);
}

/** The numbers of a task's messages, newest first. */
function findById(session: Session, { queue, section, key: id }: Input<"readQueue">): readonly number[] {
  if (section === "dead") {
    const sql = "SELECT sequence FROM dead WHERE id = ? ORDER BY sequence DESC";
    return session.rows<[number]>(sql, id).map(([sequence]) => sequence);
  }
  // Ids may have colons, so the range also has keys of ids that go on after one: ":" is followed by ";".
  const sql = `SELECT key, sequence FROM seen
    WHERE queue = ? AND key > ? AND key < ? AND forget_at IS NULL ORDER BY sequence DESC`;
  const found = session.rows<[string, number]>(sql, queue, `${id}:`, `${id};`);
  return found.filter(([key]) => /^\d+:\d+$/.test(key.slice(id.length + 1))).map(([, sequence]) => sequence);
}
