import { afterEach, beforeEach, expect, test } from "vitest";
import type { WatchNews } from "../../src/protocol.ts";
import { createBandTurns } from "../../src/thread/band-turns.ts";
import { deleteEntry, putEntry } from "../../src/thread/entries.ts";
import { hasExpired, removeExpired } from "../../src/thread/expiry.ts";
import { addMembers, increment } from "../../src/thread/members.ts";
import { publish, settle, take } from "../../src/thread/queue.ts";
import { storeResult } from "../../src/thread/results.ts";
import { type Transaction, transact } from "../../src/thread/transaction.ts";
import { createWatches } from "../../src/thread/watches.ts";
import { openSessions, type Sessions } from "./sessions.ts";

const bytes = Buffer.from("bytes");
const key = Buffer.from("key");
const all = { from: Buffer.of(0), to: Buffer.of(255) };

let sessions: Sessions;

beforeEach(() => {
  sessions = openSessions();
});

afterEach(() => sessions.close());

/** A transaction so many milliseconds from now. */
function later<T>(milliseconds: number, work: (transaction: Transaction) => T): T {
  return transact(sessions.writer, (transaction) => work({ ...transaction, now: transaction.now + milliseconds }));
}

function count(table: string): number {
  return sessions.reader.row<[number]>(`SELECT count(*) FROM ${table}`)?.[0] ?? 0;
}

test("what has had its time is removed, and nothing else", () => {
  const turns = createBandTurns();
  for (const ttl of [1, 60_000]) {
    later(-1_000, (transaction) => {
      storeResult(transaction, { id: `ttl-${ttl}`, run: 0, ttl, bytes });
      putEntry(transaction, { key: Buffer.from(`ttl-${ttl}`), value: bytes, ttl, expect: undefined });
      increment(transaction, { key: Buffer.from(`ttl-${ttl}`), by: 1, ttl, ceiling: undefined });
      addMembers(transaction, { set: key, members: [Buffer.from(`ttl-${ttl}`)], ttl, max: undefined });
      publish(transaction, { key: `ttl-${ttl}:0:0`, queue: "q", band: 1, delay: 0, bytes });
      const [taken] = take(transaction, { queue: "q", max: 1, lease: 1, owner: "one" }, turns);
      settle(transaction, { sequence: taken?.sequence ?? 0, owner: "one", kind: "ack" }, transaction.now + ttl);
    });
  }
  later(-1_000, (transaction) => {
    putEntry(transaction, { key, value: bytes, ttl: undefined, expect: undefined });
    publish(transaction, { key: "waiting:0:0", queue: "q", band: 1, delay: 0, bytes });
  });
  expect(hasExpired(sessions.reader)).toBe(true);
  later(0, removeExpired);
  expect(hasExpired(sessions.reader)).toBe(false);
  const left = Object.fromEntries(
    ["results", "entries", "counters", "members", "seen"].map((table) => [table, count(table)]),
  );
  expect(left).toEqual({ results: 1, entries: 2, counters: 1, members: 1, seen: 2 });
});

test("a message is new again once it is forgotten", () => {
  const turns = createBandTurns();
  const item = { key: "id:0:0", queue: "q", band: 1, delay: 0, bytes } as const;
  later(0, (transaction) => {
    publish(transaction, item);
    const [taken] = take(transaction, { queue: "q", max: 1, lease: 1_000, owner: "one" }, turns);
    settle(transaction, { sequence: taken?.sequence ?? 0, owner: "one", kind: "ack" }, transaction.now + 5_000);
  });
  expect(later(4_900, (transaction) => publish(transaction, item))).toBe("duplicate");
  expect(later(5_100, (transaction) => publish(transaction, item))).toBe("accepted");
});

test("who has missed a deletion that is forgotten is told to begin again", () => {
  const news: WatchNews[] = [];
  later(-700_000, (transaction) => putEntry(transaction, { key, value: bytes, ttl: undefined, expect: undefined }));
  const watches = createWatches(sessions.reader);
  watches.add(1, { ...all, tell: (told) => news.push(told) });
  later(-700_000, (transaction) => deleteEntry(transaction, { key, expect: undefined }));
  later(0, removeExpired);
  expect(count("entries")).toBe(0);
  watches.check();
  expect(news).toEqual(["gap"]);
});

test("who has seen a deletion is not, when it is forgotten", () => {
  const news: WatchNews[] = [];
  const watches = createWatches(sessions.reader);
  watches.add(1, { ...all, tell: (told) => news.push(told) });
  later(-700_000, (transaction) => {
    putEntry(transaction, { key, value: bytes, ttl: undefined, expect: undefined });
    deleteEntry(transaction, { key, expect: undefined });
  });
  watches.check();
  later(0, removeExpired);
  watches.check();
  expect(news).toMatchObject([[{ revision: 2 }]]);
});
