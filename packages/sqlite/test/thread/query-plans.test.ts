import { afterEach, beforeEach, expect, test } from "vitest";
import { createBandTurns } from "../../src/thread/band-turns.ts";
import { countSections } from "../../src/thread/depth.ts";
import { deleteEntry, listEntries, putEntry } from "../../src/thread/entries.ts";
import { hasExpired, removeExpired } from "../../src/thread/expiry.ts";
import { listQueueNames, listSection, readQueueRow } from "../../src/thread/inspect.ts";
import { addMembers, increment, listMembers, removeMembers } from "../../src/thread/members.ts";
import { extend, hasReady, nextDue, publish, settle, take } from "../../src/thread/queue.ts";
import { createResultWaits, deleteResult, readResult, storeResult } from "../../src/thread/results.ts";
import { findRows, removeRow } from "../../src/thread/sections.ts";
import type { Session, SqlValue } from "../../src/thread/session.ts";
import { transact } from "../../src/thread/transaction.ts";
import { createWatches } from "../../src/thread/watches.ts";
import { openSessions, type Sessions } from "./sessions.ts";

const backlog = 50_000;
const sections = ["ready", "delayed", "running", "dead"] as const;
const bytes = Buffer.from("bytes");
const key = Buffer.from("key");

let sessions: Sessions;

beforeEach(() => {
  sessions = openSessions();
});

afterEach(() => sessions.close());

/** Runs the same statements, and remembers which, with their first values. */
function recorded(session: Session, statements: Statements): Session {
  const note = (sql: string, values: readonly SqlValue[]): void => {
    if (!statements.has(sql)) statements.set(sql, values);
  };
  return {
    ...session,
    run: (sql, ...values) => {
      note(sql, values);
      return session.run(sql, ...values);
    },
    row: (sql, ...values) => {
      note(sql, values);
      return session.row(sql, ...values);
    },
    rows: (sql, ...values) => {
      note(sql, values);
      return session.rows(sql, ...values);
    },
  };
}

type Statements = Map<string, readonly SqlValue[]>;

const wholeRead = /^SCAN (?!CONSTANT|names|\(subquery)/;
const sort = /TEMP B-TREE/;

/** The statements with a step like that in their plan. */
function statementsWith(step: RegExp, session: Session, statements: Statements): string[] {
  return [...statements].flatMap(([sql, values]) => {
    if (sql.startsWith("PRAGMA")) return [];
    const plan = session.rows<[number, number, number, string]>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    const steps = plan.map(([, , , detail]) => detail).filter((detail) => step.test(detail));
    return steps.length === 0 ? [] : [`${steps.join("; ")} in ${sql.replaceAll(/\s+/g, " ")}`];
  });
}

function fill(session: Session): void {
  for (let start = 0; start < backlog; start += 1_000) {
    transact(session, (transaction) => {
      for (let index = start; index < start + 1_000; index += 1) {
        const delay = index % 5 === 0 ? 60_000 : 0;
        publish(transaction, { key: `id-${index}:0:0`, queue: `q${index % 3}`, band: 1, delay, bytes });
        storeResult(transaction, { id: `id-${index}`, run: 0, ttl: 60_000, bytes });
      }
    });
  }
}

/** One call of everything that tasks need. */
function work(writer: Session, reader: Session): void {
  const queue = "q1";
  const turns = createBandTurns();
  hasReady(reader, queue);
  nextDue(reader, queue);
  transact(writer, (transaction) => {
    const taken = take(transaction, { queue, max: 4, lease: 60_000, owner: "one" }, turns);
    const [first, second, third, fourth] = taken.map(({ sequence }) => ({ sequence, owner: "one" }));
    if (!first || !second || !third || !fourth) throw new Error("Expected four messages.");
    extend(transaction, first, 60_000);
    const next = { key: "again:0:1", queue, band: 1, delay: 0, bytes } as const;
    settle(transaction, { ...first, kind: "ack" }, transaction.now);
    settle(transaction, { ...second, kind: "release" }, transaction.now);
    settle(transaction, { ...third, kind: "retry", next }, transaction.now);
    settle(
      transaction,
      { ...fourth, kind: "reject", id: "id", reason: { code: "TASK_FAILED", message: "", at: 0 } },
      1,
    );
    for (const section of sections) {
      findRows(transaction, { queue, section, upTo: 10, limit: 5 });
      removeRow(transaction, { queue, section, sequence: 7 }, 1);
    }
    storeResult(transaction, { id: "id-1", run: 0, ttl: 1, bytes });
    deleteResult(transaction, "id-2");
    putEntry(transaction, { key, value: bytes, ttl: 60_000, expect: 0 });
    deleteEntry(transaction, { key, expect: undefined });
    increment(transaction, { key, by: 1, ttl: 60_000, ceiling: undefined });
    increment(transaction, { key, by: 1, ttl: 60_000, ceiling: undefined });
    addMembers(transaction, { set: key, members: [key], ttl: 60_000, max: 3 });
    removeMembers(transaction, { set: key, members: [key] });
  });
  readResult(reader, "id-3");
  listEntries(reader, { from: key, to: key, limit: 1 });
  listMembers(reader, key);
  const waits = createResultWaits(reader);
  waits.add(1, { id: "unknown", run: 0, succeed: () => undefined });
  waits.check();
  const watches = createWatches(reader);
  watches.add(1, { from: key, to: key, tell: () => undefined });
  watches.check();
  hasExpired(reader);
  transact(writer, removeExpired);
}

/** One call of everything that looks into queues. */
async function inspect(reader: Session): Promise<void> {
  await countSections(reader, "q1");
  listQueueNames(reader);
  for (const section of sections) {
    listSection(reader, { queue: "q1", section, limit: 10 });
    readQueueRow(reader, { queue: "q1", section, key: "_3" });
    readQueueRow(reader, { queue: "q1", section, key: "id-4" });
  }
}

test("with a backlog, no statement reads a whole table, and none that tasks need sorts", async () => {
  const { writer, reader } = sessions;
  fill(writer);
  const working: Statements = new Map();
  const inspecting: Statements = new Map();
  work(recorded(writer, working), recorded(reader, working));
  await inspect(recorded(reader, inspecting));
  expect(working.size).toBeGreaterThan(40);
  expect(inspecting.size).toBeGreaterThan(15);
  expect(statementsWith(wholeRead, reader, working)).toEqual([]);
  expect(statementsWith(sort, reader, working)).toEqual([]);
  expect(statementsWith(wholeRead, reader, inspecting)).toEqual([]);
});
