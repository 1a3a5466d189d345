import { maxStateValueBytes, monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { type StateScene, type StateTopic, textOf } from "./state-scene.ts";

export const entriesTopic: StateTopic = {
  name: "entries",
  rules: [
    { name: "what was put is read by another process, byte by byte", check: bytesSurvive },
    { name: "get answers per key and in order, undefined for none", check: getInOrder },
    { name: "an empty batch is answered by []", check: emptyBatches },
    { name: "put without a condition overwrites", check: overwrites },
    { name: "a value of 64 KiB is kept", check: largestIsKept },
    { name: "a larger value is STATE_VALUE_TOO_LARGE, before anything is written", check: tooLarge },
    { name: "delete answers whether it was there and is gone", check: deleteAnswers },
    { name: "500 puts, gets and deletes in one call each", check: largeBatches },
    { name: "entries, counters and sets under one key are three things", check: threeNameSpaces },
    { name: "what the caller changes afterwards changes nothing kept", check: callerMayChange },
  ],
};

export const expiryTopic: StateTopic = {
  name: "expiry",
  rules: [
    { name: "an entry lives for its ttl and reads as absent at once afterwards", check: expires },
    { name: "expiresAt tells when, and is absent for what stays", check: tellsWhen },
    { name: "a put without ttl stays, whatever was there before", check: putStays },
    { name: "a put with ttl begins it anew", check: putBeginsAnew },
    { name: "an expired entry is not listed, cannot be deleted and meets no revision", check: expiredIsAbsent },
  ],
};

async function bytesSurvive(scene: StateScene): Promise<void> {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const values = [
    everyByte,
    Buffer.alloc(0),
    Buffer.from("\n"),
    Buffer.from("é 日本 🚢"),
    Buffer.from([0xff, 0xfe, 0]),
  ];
  const puts = values.map((value, index) => ({ key: scene.key(String(index)), value }));
  const results = await scene.store.put(puts);
  const entries = await (await scene.anotherProcess()).get(puts.map(({ key }) => key));
  for (const [index, put] of puts.entries()) {
    const [entry, result] = [entries[index], results[index]];
    expect(Buffer.from(entry?.value ?? Buffer.from("missing"))).toEqual(put.value);
    expect(entry?.key).toEqual(put.key);
    expect(entry?.revision).toBe(result?.status === "written" ? result.revision : "not written");
  }
}

async function getInOrder(scene: StateScene): Promise<void> {
  await scene.write(scene.key("a"), "A");
  await scene.write(scene.key("b"), "B");
  const keys = [scene.key("b"), scene.key("none"), scene.key("a"), scene.key("b")];
  expect((await scene.store.get(keys)).map(textOf)).toEqual(["B", undefined, "A", "B"]);
}

async function emptyBatches(scene: StateScene): Promise<void> {
  expect(await scene.store.get([])).toEqual([]);
  expect(await scene.store.put([])).toEqual([]);
  expect(await scene.store.delete([])).toEqual([]);
}

async function overwrites(scene: StateScene): Promise<void> {
  const key = scene.key("a");
  const revisions = [
    await scene.write(key, "first"),
    await scene.write(key, "second"),
    await scene.write(key, "second"),
  ];
  expect(await scene.text(key, await scene.anotherProcess())).toBe("second");
  expect(new Set(revisions).size, "different revisions").toBe(3);
  expect((await scene.get(key))?.revision).toBe(revisions[2]);
}

async function largestIsKept(scene: StateScene): Promise<void> {
  const value = Buffer.alloc(maxStateValueBytes, "0123456789\n\0é");
  await scene.store.put([{ key: scene.key("large"), value }]);
  expect(Buffer.from((await scene.get(scene.key("large")))?.value ?? [])).toEqual(value);
}

async function tooLarge(scene: StateScene): Promise<void> {
  const puts = [
    { key: scene.key("before"), value: Buffer.from("before") },
    { key: scene.key("large"), value: Buffer.alloc(maxStateValueBytes + 1) },
    { key: scene.key("after"), value: Buffer.from("after") },
  ];
  await expect(scene.store.put(puts)).rejects.toMatchObject({ code: "STATE_VALUE_TOO_LARGE" });
  expect(await scene.store.get(puts.map(({ key }) => key))).toEqual([undefined, undefined, undefined]);
}

async function deleteAnswers(scene: StateScene): Promise<void> {
  await scene.write(scene.key("a"), "A");
  await scene.write(scene.key("b"), "B");
  const other = await scene.anotherProcess();
  expect(await other.delete([{ key: scene.key("none") }, { key: scene.key("a") }])).toEqual([false, true]);
  expect(await other.delete([{ key: scene.key("a") }])).toEqual([false]);
  expect(await scene.text(scene.key("a"))).toBeUndefined();
  expect(await scene.text(scene.key("b"))).toBe("B");
}

async function largeBatches(scene: StateScene): Promise<void> {
  const puts = Array.from({ length: 500 }, (_, index) => ({
    key: scene.key("n", `${index}`),
    value: Buffer.from(`${index}`),
  }));
  const keys = puts.map(({ key }) => key);
  expect((await scene.store.put(puts)).map(({ status }) => status)).toEqual(puts.map(() => "written"));
  expect((await scene.store.get(keys)).map(textOf)).toEqual(puts.map((_, index) => `${index}`));
  expect(await scene.store.delete(keys.map((key) => ({ key })))).toEqual(puts.map(() => true));
  expect(await scene.store.get(keys)).toEqual(puts.map(() => undefined));
}

async function threeNameSpaces(scene: StateScene): Promise<void> {
  const key = scene.key("same");
  await scene.store.increment(key, 7, { ttl: 60_000 });
  await scene.store.add(key, ["member"], { ttl: 60_000 });
  expect(await scene.get(key), "an entry beside a counter and a set").toBeUndefined();
  await scene.write(key, "entry");
  expect(await scene.store.increment(key, 1, { ttl: 60_000 })).toEqual({ value: 8, added: true });
  expect(await scene.store.members(key)).toEqual(["member"]);
  expect(await scene.store.delete([{ key }])).toEqual([true]);
  expect(await scene.store.increment(key, 1, { ttl: 60_000 })).toEqual({ value: 9, added: true });
  expect(await scene.store.remove(key, ["member"])).toEqual({ removed: 1, size: 0 });
  expect((await scene.store.list([scene.prefix], { limit: 10 })).entries).toEqual([]);
}

async function callerMayChange(scene: StateScene): Promise<void> {
  const value = Buffer.from("as it was put");
  await scene.store.put([{ key: scene.key("a"), value }]);
  value.fill(0);
  expect(await scene.text(scene.key("a"))).toBe("as it was put");
  (await scene.get(scene.key("a")))?.value.fill(0);
  expect(await scene.text(scene.key("a"))).toBe("as it was put");
}

async function expires(scene: StateScene): Promise<void> {
  const start = monotonicNow();
  await scene.write(scene.key("brief"), "brief", { ttl: scene.timing.ttl });
  await scene.write(scene.key("long"), "long", { ttl: 60_000 });
  await scene.expectExpired(async () => (await scene.get(scene.key("brief"))) !== undefined, start);
  expect(await scene.text(scene.key("brief"), await scene.anotherProcess())).toBeUndefined();
  expect(await scene.text(scene.key("long"))).toBe("long");
}

async function tellsWhen(scene: StateScene): Promise<void> {
  const before = Date.now();
  await scene.write(scene.key("long"), "long", { ttl: 60_000 });
  await scene.write(scene.key("stays"), "stays");
  const { expiresAt = Number.NaN } = (await scene.get(scene.key("long"))) ?? {};
  expect(Math.abs(expiresAt - before - 60_000), "ms between expiresAt and the time it should be").toBeLessThan(
    scene.timing.slack,
  );
  expect((await scene.get(scene.key("stays")))?.expiresAt).toBeUndefined();
}

async function putStays(scene: StateScene): Promise<void> {
  const start = monotonicNow();
  const [key, marker] = [scene.key("stays"), scene.key("marker")];
  await scene.write(key, "brief", { ttl: scene.timing.ttl });
  await scene.write(key, "stays");
  await scene.write(marker, "brief", { ttl: scene.timing.ttl });
  await scene.expectExpired(async () => (await scene.get(marker)) !== undefined, start);
  expect(await scene.text(key)).toBe("stays");
  expect((await scene.get(key))?.expiresAt).toBeUndefined();
}

async function putBeginsAnew(scene: StateScene): Promise<void> {
  const [key, marker] = [scene.key("renewed"), scene.key("marker")];
  await scene.write(key, "first", { ttl: scene.timing.ttl });
  const start = monotonicNow();
  await scene.write(marker, "brief", { ttl: scene.timing.ttl });
  await scene.write(key, "second", { ttl: 60_000 });
  await scene.expectExpired(async () => (await scene.get(marker)) !== undefined, start);
  expect(await scene.text(key)).toBe("second");
}

async function expiredIsAbsent(scene: StateScene): Promise<void> {
  const key = scene.key("brief");
  const start = monotonicNow();
  const revision = await scene.write(key, "brief", { ttl: scene.timing.ttl });
  await scene.write(scene.key("other"), "other");
  await scene.expectExpired(async () => (await scene.get(key)) !== undefined, start);
  const { entries } = await scene.store.list([scene.prefix], { limit: 10 });
  expect(entries.map(textOf)).toEqual(["other"]);
  const value = Buffer.from("too late");
  expect(await scene.store.put([{ key, value, expect: { revision } }])).toEqual([
    { status: "conflict", current: undefined },
  ]);
  expect(await scene.store.delete([{ key, expect: { revision } }, { key }])).toEqual([false, false]);
  const again = await scene.write(key, "again", { expect: "absent" });
  expect(again).not.toBe(revision);
}
