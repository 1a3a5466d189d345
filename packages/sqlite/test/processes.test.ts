import { randomUUID } from "node:crypto";
import type { Broker, Message, ResultBackend, StateStore } from "@taskferry/core";
import { type SpawnedProcess, spawnProcess } from "@taskferry/testing";
import Database from "libsql";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sqlite } from "../src/index.ts";
import type { Order, Said } from "./fixtures/peer.ts";
import { type TemporaryFile, temporaryFile } from "./temporary-file.ts";

/** Milliseconds. What another process writes must be noticed well within, on a machine that has time at least once. */
const soon = 100;
const queue = "shared";
const never = new AbortController().signal;

let file: TemporaryFile;
let broker: Broker;
let results: ResultBackend;
let state: StateStore;

beforeEach(async () => {
  file = temporaryFile();
  broker = sqlite({ path: file.path });
  results = broker.companions?.results?.() as ResultBackend;
  state = broker.companions?.state?.() as StateStore;
  await Promise.all([broker.connect(), results.connect(), state.connect()]);
});

afterEach(async () => {
  await Promise.all([broker.close(), results.close(), state.close()]);
  await file.remove();
});

async function startPeer(): Promise<SpawnedProcess<Said>> {
  const peer = await spawnProcess<Said>(new URL("./fixtures/peer.ts", import.meta.url), { args: [file.path] });
  await peer.waitFor("ready");
  return peer;
}

function tell(peer: SpawnedProcess<Said>, order: Order): void {
  peer.send(order);
}

function message(id: string): Message {
  const body = Buffer.from(id);
  return { id, run: 0, hop: 0, task: "t", queue, attempt: 0, enqueuedAt: Date.now(), contentType: "text/plain", body };
}

/** Milliseconds from when the other process said that it was done until this one noticed; the best of several. */
async function bestOf(
  rounds: number,
  round: (index: number) => Promise<{ done: Promise<unknown>; noticed: Promise<unknown> }>,
) {
  const delays: number[] = [];
  for (let index = 0; index < rounds; index += 1) {
    const { done, noticed } = await round(index);
    const doneAt = done.then(() => performance.now());
    const noticedAt = noticed.then(() => performance.now());
    delays.push((await noticedAt) - (await doneAt));
  }
  return Math.min(...delays);
}

test("a take is woken by what another process publishes", async () => {
  await using peer = await startPeer();
  const consumer = await broker.consume(queue, { window: 10, lease: 60_000 });
  const best = await bestOf(10, async (index) => {
    const id = `woken-${index}`;
    const noticed = consumer.take(1, never).then(async ([delivery]) => {
      if (delivery === undefined) throw new Error("Expected a delivery.");
      expect(delivery.message?.id).toBe(id);
      await consumer.settle([{ kind: "ack", delivery }]);
    });
    tell(peer, { type: "publish", id });
    return { done: peer.waitFor("accepted"), noticed };
  });
  expect(best).toBeLessThan(soon);
});

test("a wait is woken by what another process stores", async () => {
  await using peer = await startPeer();
  const best = await bestOf(10, async (index) => {
    const noticed = results.wait(`stored-${index}`, { signal: never });
    tell(peer, { type: "store", id: `stored-${index}` });
    return { done: peer.waitFor("done"), noticed };
  });
  expect(best).toBeLessThan(soon);
});

test("a watch is woken by what another process puts", async () => {
  await using peer = await startPeer();
  const watch = state.watch(["watched"], never)[Symbol.asyncIterator]();
  await watch.next();
  const best = await bestOf(10, async (index) => {
    const noticed = watch
      .next()
      .then(({ value }) => expect(value).toMatchObject({ entry: { key: ["watched", `${index}`] } }));
    tell(peer, { type: "put", key: ["watched", `${index}`] });
    return { done: peer.waitFor("done"), noticed };
  });
  expect(best).toBeLessThan(soon);
});

test("what a killed process had taken is delivered again, each once, and what it did not take is not counted", async () => {
  const ids = Array.from({ length: 30 }, () => randomUUID());
  await broker.publish(
    ids.map((id) => ({ message: message(id) })),
    { timeout: 10_000 },
  );
  await using peer = await startPeer();
  tell(peer, { type: "take", max: 20, lease: 1_000 });
  const { ids: taken } = await peer.waitFor("taken");
  await peer.kill();

  const consumer = await broker.consume(queue, { window: 100, lease: 60_000 });
  const counts = new Map<string, number | undefined>();
  while (counts.size < ids.length) {
    for (const { message, deliveryCount } of await consumer.take(100, never)) {
      expect(counts.has(message?.id ?? "")).toBe(false);
      counts.set(message?.id ?? "", deliveryCount);
    }
  }
  expect(taken.length).toBe(20);
  expect([...counts.keys()].sort()).toEqual([...ids].sort());
  for (const [id, count] of counts) expect(count).toBe(taken.includes(id) ? 2 : 1);
});

test("a process killed while it writes leaves a sound file with all that was accepted", async () => {
  // With nobody else there, the next one to open the file has to make good what the killed one left.
  await broker.close();
  await results.close();
  await state.close();
  const accepted = new Set<string>();
  for (let round = 0; round < 4; round += 1) {
    await using peer = await startPeer();
    tell(peer, { type: "flood" });
    for (let batch = 0; batch < 5 + 3 * round; batch += 1) {
      for (const id of (await peer.waitFor("accepted")).ids) accepted.add(id);
    }
    await peer.kill();
  }
  await Promise.all([broker.connect(), results.connect(), state.connect()]);
  const inspector = new Database(file.path);
  expect(inspector.pragma("integrity_check")).toEqual([{ integrity_check: "ok" }]);
  inspector.close();

  const consumer = await broker.consume(queue, { window: 10_000, lease: 60_000 });
  const depth = await broker.admin?.depth(queue);
  const found = new Set<string>();
  while (found.size < (depth?.ready ?? 0)) {
    for (const { message } of await consumer.take(1_000, never)) found.add(message?.id ?? "");
  }
  expect([...accepted].filter((id) => !found.has(id))).toEqual([]);
});

test("process.exit() in the midst of work ends the process as it should", async () => {
  const entry = new URL("./fixtures/exiter.ts", import.meta.url);
  const processes = await Promise.all([1, 2, 3, 4].map(() => spawnProcess(entry, { args: [file.path] })));
  const exits = await Promise.all(
    processes.map(async (process) => ({ ...(await process.exited), logs: process.logs() })),
  );
  expect(exits).toEqual(processes.map(() => ({ code: 7, signal: null, logs: "" })));
});

test("while another process holds the file, the event loop goes on", async () => {
  await using peer = await startPeer();
  tell(peer, { type: "lock" });
  await peer.waitFor("done");
  let isPublished = false;
  const publishing = broker.publish([{ message: message("held") }], { timeout: 30_000 }).finally(() => {
    isPublished = true;
  });
  await ticks(200, 10);
  expect(isPublished).toBe(false);
  tell(peer, { type: "unlock" });
  expect(await publishing).toEqual([{ status: "accepted" }]);
});

/** Resolves once a timer has gone off so often, which takes a free event loop. */
function ticks(count: number, interval: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      resolve();
    }, interval);
  });
}
