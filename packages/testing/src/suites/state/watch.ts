import { getEventListeners } from "node:events";
import type { StateChange, StateKey } from "@taskferry/core";
import { expect } from "vitest";
import { elapse, within } from "../patience.ts";
import type { StateScene, StateTopic } from "./state-scene.ts";
import { WatchReader } from "./watch-reader.ts";

export const watchTopic: StateTopic = {
  name: "watch",
  rules: [
    { name: "begins with a snapshot of what is under the prefix", check: beginsWithSnapshot },
    { name: "the snapshot of nothing is empty", check: emptySnapshot },
    { name: "then tells every put and delete, of any process", check: tellsChanges },
    { name: "tells nothing of other prefixes", check: othersUnseen },
    { name: "tells the changes of a key in their order", check: inOrder },
    { name: "misses nothing that is written while it begins", check: missesNothing },
    { name: "a slow reader ends with what stands", check: slowReader },
    { name: "entries carry value, revision and expiry", check: wholeEntries },
    { name: "an expiry is not announced", check: expirySilent },
    { name: "a failed condition tells nothing", check: conflictSilent },
    { name: "ends when the signal aborts, and at once when it has aborted before", check: endsOnAbort },
    { name: "leaves no listener on the signal, whether aborted or left", check: leavesNoListener },
    { name: "20 watches of one prefix all see the same", check: manyWatches },
    { name: "ends or rejects with CLOSED when the store is closed", check: endsOnClose },
  ],
};

/** A watch under the scene's prefix, ended with the test. */
export function watch(scene: StateScene, prefix: StateKey = [scene.prefix], store = scene.store): WatchReader {
  const reader = new WatchReader(store, prefix, scene.timing.slack);
  scene.defer(() => Promise.allSettled([reader.end()]));
  return reader;
}

async function beginsWithSnapshot(scene: StateScene): Promise<void> {
  await scene.write(scene.key("a"), "A");
  await scene.write(scene.key("b"), "B");
  await scene.store.delete([{ key: scene.key("b") }]);
  await scene.write(scene.key("c"), "C");
  const reader = watch(scene, [scene.prefix], await scene.anotherProcess());
  expect((await reader.next())?.type).toBe("snapshot");
  expect(reader.entries).toEqual({ a: "A", c: "C" });
}

async function emptySnapshot(scene: StateScene): Promise<void> {
  expect(await watch(scene).next()).toEqual({ type: "snapshot", entries: [] });
}

async function tellsChanges(scene: StateScene): Promise<void> {
  const other = await scene.anotherProcess();
  const reader = watch(scene, [scene.prefix], other);
  await reader.next();
  await scene.write(scene.key("a"), "A");
  await reader.until((entries) => entries["a"] === "A");
  await other.put([{ key: scene.key("b"), value: Buffer.from("B") }]);
  await reader.until((entries) => entries["b"] === "B");
  await scene.write(scene.key("a"), "A2");
  await reader.until((entries) => entries["a"] === "A2");
  await scene.store.delete([{ key: scene.key("a") }]);
  await reader.until((entries) => !("a" in entries));
  await scene.write(scene.key("a"), "again");
  await reader.until((entries) => entries["a"] === "again");
  expect(reader.entries).toEqual({ a: "again", b: "B" });
  expect(reader.snapshots, "snapshots without a gap").toBe(1);
}

async function othersUnseen(scene: StateScene): Promise<void> {
  const reader = watch(scene, scene.key("job"));
  await reader.next();
  for (const rest of [["jobs", "x"], ["jo"], ["job:x"], ["other", "job"]])
    await scene.write(scene.key(...rest), "other");
  await scene.store.increment(scene.key("job", "counter"), 1, { ttl: 60_000 });
  await scene.store.add(scene.key("job", "set"), ["member"], { ttl: 60_000 });
  await scene.write(scene.key("job", "own"), "own");
  const change = await reader.next();
  expect(change).toMatchObject({ type: "put", entry: { key: scene.key("job", "own") } });
  await scene.write(scene.key("job"), "the prefix itself");
  expect(await reader.next()).toMatchObject({ type: "put", entry: { key: scene.key("job") } });
}

async function inOrder(scene: StateScene): Promise<void> {
  const reader = watch(scene);
  await reader.next();
  const writing = (async () => {
    for (let step = 1; step <= 60; step += 1) await scene.write(scene.key(step % 2 === 0 ? "even" : "odd"), `${step}`);
  })();
  const last: Record<string, number> = { even: 0, odd: 0 };
  while (reader.entries["even"] !== "60" || reader.entries["odd"] !== "59") {
    await reader.next();
    for (const [name, text] of Object.entries(reader.entries)) {
      expect(Number(text), `steps of ${name}`).toBeGreaterThanOrEqual(last[name] ?? 0);
      last[name] = Number(text);
    }
  }
  await writing;
}

async function missesNothing(scene: StateScene): Promise<void> {
  const other = await scene.anotherProcess();
  for (let round = 0; round < 20; round += 1) {
    const prefix = scene.key(`${round}`);
    const writing = (async () => {
      for (let step = 0; step < 5; step += 1) {
        await scene.write([...prefix, `${step}`], "there");
        if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await scene.store.delete([{ key: [...prefix, "0"] }]);
    })();
    if (round % 3 === 0) await elapse(round % 4);
    const reader = watch(scene, prefix, other);
    await reader.next();
    await writing;
    const there = (entries: object) => Object.keys(entries).join() === "1,2,3,4";
    await reader.until(there);
    await reader.end();
  }
}

async function slowReader(scene: StateScene): Promise<void> {
  const reader = watch(scene, [scene.prefix], await scene.anotherProcess());
  await reader.next();
  const keys = Array.from({ length: 50 }, (_, index) => scene.key(`${index}`.padStart(2, "0")));
  for (let round = 0; round < 20; round += 1) {
    await scene.store.put(keys.map((key) => ({ key, value: Buffer.from(`${round}`) })));
  }
  await scene.store.delete(keys.slice(0, 10).map((key) => ({ key })));
  const expected = Object.fromEntries(keys.slice(10).map((key) => [key.at(-1), "19"]));
  await reader.until((entries) => JSON.stringify(entries) === JSON.stringify(expected));
}

async function wholeEntries(scene: StateScene): Promise<void> {
  const reader = watch(scene, [scene.prefix], await scene.anotherProcess());
  await reader.next();
  const revision = await scene.write(scene.key("a"), "A", { ttl: 60_000 });
  const change = await reader.next();
  expect(change).toMatchObject({
    type: "put",
    entry: { key: scene.key("a"), revision, expiresAt: expect.any(Number) },
  });
  const stays = await scene.write(scene.key("b"), "B");
  const next = await reader.next();
  expect(next).toMatchObject({ type: "put", entry: { key: scene.key("b"), revision: stays } });
  expect(next?.type === "put" ? next.entry.expiresAt : 0).toBeUndefined();
}

async function expirySilent(scene: StateScene): Promise<void> {
  const reader = watch(scene);
  await reader.next();
  await scene.write(scene.key("brief"), "brief", { ttl: scene.timing.ttl });
  await reader.next();
  await elapse(2 * scene.timing.ttl);
  await scene.write(scene.key("last"), "last");
  expect(await reader.next()).toMatchObject({ type: "put", entry: { key: scene.key("last") } });
}

async function conflictSilent(scene: StateScene): Promise<void> {
  await scene.write(scene.key("a"), "A");
  const reader = watch(scene);
  await reader.next();
  await scene.store.put([{ key: scene.key("a"), value: Buffer.from("x"), expect: "absent" }]);
  await scene.store.delete([{ key: scene.key("a"), expect: { revision: "none" } }, { key: scene.key("unknown") }]);
  await scene.write(scene.key("last"), "last");
  expect(await reader.next()).toMatchObject({ type: "put", entry: { key: scene.key("last") } });
}

async function endsOnAbort(scene: StateScene): Promise<void> {
  await within(
    readAll(scene.store.watch([scene.prefix], AbortSignal.abort())),
    scene.timing.slack,
    "an aborted watch to end",
  );
  const reader = watch(scene);
  await reader.next();
  const waiting = reader.next();
  await elapse(30);
  await reader.end();
  expect(await waiting).toBeUndefined();
  expect(await reader.next()).toBeUndefined();
}

async function readAll(changes: AsyncIterable<StateChange>): Promise<StateChange[]> {
  const all: StateChange[] = [];
  for await (const change of changes) all.push(change);
  return all;
}

async function leavesNoListener(scene: StateScene): Promise<void> {
  for (const way of ["end", "leave"] as const) {
    const reader = watch(scene);
    await reader.next();
    await scene.write(scene.key("a"), way);
    await reader.next();
    await reader[way]();
    expect(getEventListeners(reader.signal, "abort"), `listeners left after ${way}`).toEqual([]);
  }
}

async function manyWatches(scene: StateScene): Promise<void> {
  const stores = [scene.store, await scene.anotherProcess()];
  const readers = Array.from({ length: 20 }, (_, index) => watch(scene, [scene.prefix], stores[index % 2]));
  await Promise.all(readers.map((reader) => reader.next()));
  await scene.write(scene.key("a"), "A");
  await Promise.all(readers.map((reader) => reader.until((entries) => entries["a"] === "A")));
  await readers[0]?.leave();
  await scene.write(scene.key("b"), "B");
  await Promise.all(readers.slice(1).map((reader) => reader.until((entries) => entries["b"] === "B")));
}

async function endsOnClose(scene: StateScene): Promise<void> {
  const store = await scene.fresh();
  await store.connect();
  const reader = watch(scene, [scene.prefix], store);
  await reader.next();
  const waiting = Promise.allSettled([reader.next()]);
  await store.close();
  const [ended] = await waiting;
  expect(ended).toMatchObject(ended.status === "fulfilled" ? { value: undefined } : { reason: { code: "CLOSED" } });
}
