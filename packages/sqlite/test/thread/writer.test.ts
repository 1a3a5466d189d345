import { afterEach, beforeEach, expect, test } from "vitest";
import type { Fault } from "../../src/protocol.ts";
import { putEntry, readEntry } from "../../src/thread/entries.ts";
import { openSession, type Session } from "../../src/thread/session.ts";
import { type Companion, createWriter, type WriteJob, type Writer } from "../../src/thread/writer.ts";
import { openSessions, type Sessions } from "./sessions.ts";

const alone: Companion = { isWanted: () => false, execute: () => () => undefined, fail: () => undefined };

let sessions: Sessions;
let transactions: number;
let writer: Writer;

beforeEach(() => {
  sessions = openSessions();
  transactions = 0;
  const execute = (sql: string): void => {
    sessions.writer.execute(sql);
    if (sql === "COMMIT") transactions += 1;
  };
  writer = createWriter({ ...sessions.writer, execute }, alone);
});

afterEach(() => sessions.close());

function keyOf(name: string): Uint8Array {
  return Buffer.from(name);
}

/** Adds a write of one entry and resolves with how it went. */
function add(name: string, options: Partial<WriteJob> = {}): Promise<"written" | Fault> {
  return new Promise((resolve) => {
    writer.add({
      deadline: performance.now() + 30_000,
      weight: 1,
      execute: (transaction) =>
        putEntry(transaction, { key: keyOf(name), value: keyOf(name), ttl: undefined, expect: undefined }),
      succeed: () => resolve("written"),
      fail: resolve,
      ...options,
    });
  });
}

function isThere(name: string): boolean {
  return readEntry(sessions.reader, keyOf(name)) !== undefined;
}

/** Another connection that is in a write transaction. */
function openLock(): Session {
  const lock = openSession(sessions.file.path);
  lock.execute("BEGIN IMMEDIATE");
  return lock;
}

test("what comes at the same moment is one transaction", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `name-${index}`);
  expect(await Promise.all(names.map((name) => add(name)))).toEqual(names.map(() => "written"));
  expect(names.every(isThere)).toBe(true);
  expect(transactions).toBe(1);
});

test("a transaction has a limit, so that others get their turn", async () => {
  await Promise.all(["a", "b", "c"].map((name) => add(name, { weight: 600 })));
  expect(transactions).toBe(3);
});

test("of a group, only what fails fails", async () => {
  const break_ = add("broken", { execute: () => sessions.writer.run("INSERT INTO entries (key) VALUES (NULL)") });
  const [before, broken, after] = await Promise.all([add("before"), break_, add("after")]);
  expect([before, after]).toEqual(["written", "written"]);
  expect(broken).toMatchObject({ code: expect.stringMatching(/^SQLITE_CONSTRAINT/) });
  expect(["before", "broken", "after"].map(isThere)).toEqual([true, false, true]);
});

test("a companion that fails spoils no job, and is told", async () => {
  let failures = 0;
  const failing: Companion = {
    isWanted: () => failures === 0,
    execute: (transaction) => {
      transaction.session.run("INSERT INTO entries (key) VALUES (NULL)");
      return () => undefined;
    },
    fail: () => {
      failures += 1;
    },
  };
  writer = createWriter(sessions.writer, failing);
  expect(await Promise.all([add("one"), add("two")])).toEqual(["written", "written"]);
  // Its own turn is the next.
  await new Promise(setImmediate);
  expect(failures).toBe(1);
  expect(["one", "two"].map(isThere)).toEqual([true, true]);
});

test("a file that is busy is tried again until it is free", async () => {
  const lock = openLock();
  const adding = add("patient");
  // Other work of the thread goes on meanwhile.
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  expect(isThere("patient")).toBe(false);
  lock.execute("COMMIT");
  expect(await adding).toBe("written");
  lock.close();
});

test("what cannot begin before its deadline fails, and leaves no trace", async () => {
  const lock = openLock();
  const late = add("late", { deadline: performance.now() + 30 });
  const patient = add("patient");
  expect(await late).toMatchObject({ code: "TIMEOUT" });
  lock.execute("COMMIT");
  lock.close();
  expect(await patient).toBe("written");
  expect(isThere("late")).toBe(false);
});
