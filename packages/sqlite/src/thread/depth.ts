import { setImmediate as nextTurn } from "node:timers/promises";
import type { Depth } from "../protocol.ts";
import type { Session, SqlValue } from "./session.ts";

/** Rows counted in one go, which takes about a millisecond. */
const countSize = 20_000;
const first = [-1, 0];

/** Counts a queue's sections in pieces, with other work in between, yet all at one moment: in one read transaction. */
export async function countSections(session: Session, queue: string): Promise<Depth> {
  session.execute("BEGIN");
  try {
    const now = Date.now();
    const count = (rows: string, values: readonly SqlValue[], after: readonly number[]): Promise<number> =>
      countRows(session, { rows, values, after });
    const bands = [0, 1, 2].map((band) => [queue, band]);
    let ready = 0;
    for (const values of bands) ready += await count("ready WHERE queue = ? AND band = ?", values, [0]);
    const due = await count("delayed WHERE queue = ? AND due <= ?", [queue, now], first);
    const delayed = await count("delayed WHERE queue = ?", [queue], [now, Number.MAX_SAFE_INTEGER]);
    const dead = await count("dead WHERE queue = ?", [queue], [0]);
    const { running, expired } = countLeases(session, queue, now);
    return { ready: ready + due + expired, delayed, running, dead };
  } finally {
    session.execute("COMMIT");
  }
}

interface Rows {
  readonly rows: string;
  readonly values: readonly SqlValue[];
  /** Where to begin in the index: a sequence number, or a time and a sequence number. */
  readonly after: readonly number[];
}

async function countRows(session: Session, { rows, values, after }: Rows): Promise<number> {
  const key = after.length === 1 ? "sequence" : "due, sequence";
  const rest = `FROM ${rows} AND (${key}) > (${after.map(() => "?").join(", ")})`;
  let position = after;
  for (let count = 0; ; count += countSize) {
    const sql = `SELECT ${key} ${rest} ORDER BY ${key} LIMIT 1 OFFSET ${countSize - 1}`;
    const last = session.row<number[]>(sql, ...values, ...position);
    if (last === undefined) {
      const [remainder = 0] = session.row<[number]>(`SELECT count(*) ${rest}`, ...values, ...position) ?? [];
      return count + remainder;
    }
    position = last;
    await nextTurn();
  }
}

function countLeases(session: Session, queue: string, now: number): { running: number; expired: number } {
  const sql =
    "SELECT count(*) FILTER (WHERE until > ?2), count(*) FILTER (WHERE until <= ?2) FROM leases WHERE queue = ?1";
  const [running = 0, expired = 0] = session.row<[number, number]>(sql, queue, now) ?? [];
  return { running, expired };
}
