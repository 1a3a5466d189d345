import { monotonicNow, type StateKey, type StateStore } from "@taskferry/core";
import { expect } from "vitest";
import { type StateScene, type StateTopic, textOf } from "./state-scene.ts";

export const conditionsTopic: StateTopic = {
  name: "conditions",
  rules: [
    { name: "absent: the first writes, the next meets what stands", check: absent },
    { name: "revision: writes while it stands, and meets what stands instead", check: revision },
    { name: "one item's conflict does not touch the others", check: othersUntouched },
    { name: "delete only at the expected revision", check: deleteAtRevision },
    { name: "revisions never recur, not after delete and not after expiry", check: neverRecur },
    { name: "of 40 writers who expect the same one wins, in 10 rounds", check: oneWins },
    { name: "of 40 who expect absence one wins, in 10 rounds", check: oneClaims },
    { name: "counting by compare and set over two processes loses no step", check: countsByRevision },
  ],
};

async function absent(scene: StateScene): Promise<void> {
  const key = scene.key("claim");
  const first = await scene.write(key, "first", { expect: "absent" });
  const other = await scene.anotherProcess();
  const [result] = await other.put([{ key, value: Buffer.from("second"), expect: "absent" }]);
  expect(result).toMatchObject({ status: "conflict", current: { key, revision: first } });
  expect(result?.status === "conflict" ? textOf(result.current) : "written").toBe("first");
  expect(await scene.text(key)).toBe("first");
}

async function revision(scene: StateScene): Promise<void> {
  const key = scene.key("cursor");
  const first = await scene.write(key, "first");
  const second = await scene.write(key, "second", { expect: { revision: first } });
  const [late] = await scene.store.put([{ key, value: Buffer.from("late"), expect: { revision: first } }]);
  expect(late).toMatchObject({ status: "conflict", current: { revision: second } });
  const unknown = scene.key("unknown");
  const [none] = await scene.store.put([{ key: unknown, value: Buffer.from("x"), expect: { revision: second } }]);
  expect(none).toEqual({ status: "conflict", current: undefined });
  expect(await scene.text(key)).toBe("second");
  expect(await scene.get(unknown)).toBeUndefined();
}

async function othersUntouched(scene: StateScene): Promise<void> {
  await scene.write(scene.key("b"), "stands");
  const value = Buffer.from("new");
  const results = await scene.store.put([
    { key: scene.key("a"), value },
    { key: scene.key("b"), value, expect: "absent" },
    { key: scene.key("c"), value, expect: "absent" },
  ]);
  expect(results.map(({ status }) => status)).toEqual(["written", "conflict", "written"]);
  const entries = await scene.store.get([scene.key("a"), scene.key("b"), scene.key("c")]);
  expect(entries.map(textOf)).toEqual(["new", "stands", "new"]);
}

async function deleteAtRevision(scene: StateScene): Promise<void> {
  const key = scene.key("a");
  const old = await scene.write(key, "old");
  const current = await scene.write(key, "current");
  expect(await scene.store.delete([{ key, expect: { revision: old } }])).toEqual([false]);
  expect(await scene.text(key)).toBe("current");
  expect(await scene.store.delete([{ key, expect: { revision: current } }])).toEqual([true]);
  expect(await scene.text(key)).toBeUndefined();
  expect(await scene.store.delete([{ key, expect: { revision: current } }])).toEqual([false]);
}

async function neverRecur(scene: StateScene): Promise<void> {
  const key = scene.key("a");
  const seen: string[] = [];
  for (let round = 0; round < 15; round += 1) {
    seen.push(await scene.write(key, "same"), await scene.write(key, "same"));
    if (round % 5 === 4) {
      const start = monotonicNow();
      seen.push(await scene.write(key, "same", { ttl: scene.timing.ttl }));
      await scene.expectExpired(async () => (await scene.get(key)) !== undefined, start);
    } else {
      expect(await scene.store.delete([{ key }])).toEqual([true]);
    }
  }
  expect(new Set(seen).size, "different revisions").toBe(seen.length);
  await scene.write(key, "last");
  for (const old of seen) {
    const [result] = await scene.store.put([{ key, value: Buffer.from("x"), expect: { revision: old } }]);
    expect(result?.status, `a write that expects the old revision ${old}`).toBe("conflict");
  }
}

/** Lets 40 write at once under the same condition and expects one of them to have won. */
async function race(
  scene: StateScene,
  key: StateKey,
  condition: "absent" | { readonly revision: string },
): Promise<string> {
  const stores = [scene.store, await scene.anotherProcess()];
  const writes = Array.from({ length: 40 }, async (_, index) => {
    const store = stores[index % 2] ?? scene.store;
    const [result] = await store.put([{ key, value: Buffer.from(`writer ${index}`), expect: condition }]);
    return { index, result };
  });
  const results = await Promise.all(writes);
  const winners = results.filter(({ result }) => result?.status === "written");
  expect(winners, "winners").toHaveLength(1);
  expect(await scene.text(key)).toBe(`writer ${winners[0]?.index}`);
  return (await scene.get(key))?.revision ?? "";
}

async function oneWins(scene: StateScene): Promise<void> {
  const key = scene.key("contended");
  let revision = await scene.write(key, "start");
  for (let round = 0; round < 10; round += 1) revision = await race(scene, key, { revision });
}

async function oneClaims(scene: StateScene): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    const key = scene.key("claim", `${round % 3}`);
    await race(scene, key, "absent");
    await scene.store.delete([{ key }]);
  }
}

async function countsByRevision(scene: StateScene): Promise<void> {
  const key = scene.key("count");
  await scene.write(key, "0");
  const stores = [scene.store, scene.store, await scene.anotherProcess(), await scene.anotherProcess()];
  await Promise.all(stores.map((store) => countUp(store, key, 15)));
  expect(await scene.text(key)).toBe("60");
}

async function countUp(store: StateStore, key: StateKey, times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const [entry] = await store.get([key]);
    if (entry === undefined) throw new Error("Expected the entry to stand.");
    const value = Buffer.from(`${Number(textOf(entry)) + 1}`);
    const [result] = await store.put([{ key, value, expect: { revision: entry.revision } }]);
    if (result?.status === "written") done += 1;
  }
}
