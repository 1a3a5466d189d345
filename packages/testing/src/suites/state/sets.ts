import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { elapse } from "../patience.ts";
import type { StateScene, StateTopic } from "./state-scene.ts";

const minute = { ttl: 60_000 };

export const setsTopic: StateTopic = {
  name: "sets",
  rules: [
    { name: "add answers those added and the size, remove how many there were and the size", check: addAndRemove },
    { name: "a member that is there is renewed and not counted as added", check: renews },
    { name: "members are any strings", check: anyStrings },
    { name: "members expire one by one", check: expireOneByOne },
    { name: "max bounds the size: members beyond are not added", check: maxBounds },
    { name: "with max, a member that is there is renewed though the set is full", check: renewsWhenFull },
    { name: "what has expired or was removed makes room", check: makesRoom },
    { name: "max holds under 100 additions at the same moment", check: maxUnderLoad },
    { name: "of two who add the same member at the same moment one adds it", check: oneAdds },
    { name: "1,000 members in one call", check: thousandMembers },
  ],
};

async function sorted(scene: StateScene, ...segments: string[]): Promise<string[]> {
  return (await scene.store.members(scene.key(...segments))).toSorted();
}

async function addAndRemove(scene: StateScene): Promise<void> {
  const set = scene.key("set");
  expect(await scene.store.members(set)).toEqual([]);
  expect(await scene.store.remove(set, ["a"])).toEqual({ removed: 0, size: 0 });
  expect(await scene.store.add(set, ["a", "b"], minute)).toEqual({ added: ["a", "b"], size: 2 });
  expect(await (await scene.anotherProcess()).add(set, ["c", "a"], minute)).toEqual({ added: ["c"], size: 3 });
  expect(await sorted(scene, "set")).toEqual(["a", "b", "c"]);
  expect(await scene.store.remove(set, ["a", "x"])).toEqual({ removed: 1, size: 2 });
  expect(await scene.store.remove(set, ["b", "c"])).toEqual({ removed: 2, size: 0 });
  expect(await scene.store.add(set, [], minute)).toEqual({ added: [], size: 0 });
}

async function renews(scene: StateScene): Promise<void> {
  const { ttl } = scene.timing;
  const set = scene.key("set");
  const start = monotonicNow();
  await scene.store.add(set, ["renewed", "brief"], { ttl });
  expect(await scene.store.add(set, ["renewed"], minute)).toEqual({ added: [], size: 2 });
  await scene.expectExpired(async () => (await scene.store.members(set)).includes("brief"), start);
  expect(await scene.store.members(set)).toEqual(["renewed"]);
}

async function anyStrings(scene: StateScene): Promise<void> {
  const members = [
    "a",
    "A",
    "a:b",
    "a b",
    "é",
    "e\u0301",
    "日本",
    "🚢",
    "\0",
    "\n",
    "%00",
    "*",
    "0",
    "00",
    "-1",
    "__proto__",
    "x".repeat(500),
  ];
  expect((await scene.store.add(scene.key("set"), members, minute)).size).toBe(members.length);
  expect(await sorted(scene, "set")).toEqual(members.toSorted());
  expect(await scene.store.remove(scene.key("set"), members.slice(1))).toEqual({
    removed: members.length - 1,
    size: 1,
  });
}

async function expireOneByOne(scene: StateScene): Promise<void> {
  const { ttl } = scene.timing;
  const set = scene.key("set");
  const start = monotonicNow();
  await scene.store.add(set, ["second"], { ttl: 2 * ttl });
  await scene.store.add(set, ["first"], { ttl });
  await scene.store.add(set, ["last"], minute);
  await scene.expectExpired(async () => (await scene.store.members(set)).includes("first"), start);
  await scene.expectExpired(async () => (await scene.store.members(set)).includes("second"), start, 2 * ttl);
  expect(await scene.store.members(set)).toEqual(["last"]);
  expect(await scene.store.add(set, ["first"], minute)).toEqual({ added: ["first"], size: 2 });
}

async function maxBounds(scene: StateScene): Promise<void> {
  const set = scene.key("set");
  const options = { ...minute, max: 3 };
  expect(await scene.store.add(set, ["a", "b"], options)).toEqual({ added: ["a", "b"], size: 2 });
  expect(await scene.store.add(set, ["c", "d", "e"], options)).toEqual({ added: ["c"], size: 3 });
  expect(await scene.store.add(set, ["f"], options)).toEqual({ added: [], size: 3 });
  expect(await sorted(scene, "set")).toEqual(["a", "b", "c"]);
  expect(await scene.store.add(set, ["g"], minute), "without max").toEqual({ added: ["g"], size: 4 });
}

async function renewsWhenFull(scene: StateScene): Promise<void> {
  const { ttl } = scene.timing;
  const set = scene.key("set");
  await scene.store.add(set, ["held"], { ttl, max: 1 });
  const start = monotonicNow();
  await scene.store.add(scene.key("marker"), ["brief"], { ttl });
  expect(await scene.store.add(set, ["other", "held"], { ...minute, max: 1 })).toEqual({ added: [], size: 1 });
  await scene.expectExpired(async () => (await scene.store.members(scene.key("marker"))).length > 0, start);
  expect(await scene.store.members(set)).toEqual(["held"]);
}

async function makesRoom(scene: StateScene): Promise<void> {
  const { ttl } = scene.timing;
  const set = scene.key("set");
  const options = { ttl, max: 2 };
  const start = monotonicNow();
  await scene.store.add(set, ["a", "b"], options);
  await scene.expectExpired(async () => (await scene.store.members(set)).length > 0, start);
  expect(await scene.store.add(set, ["c", "d"], { ...minute, max: 2 })).toEqual({ added: ["c", "d"], size: 2 });
  await scene.store.remove(set, ["c"]);
  expect(await scene.store.add(set, ["e", "f"], { ...minute, max: 2 })).toEqual({ added: ["e"], size: 2 });
}

async function maxUnderLoad(scene: StateScene): Promise<void> {
  const set = scene.key("set");
  const stores = [scene.store, await scene.anotherProcess()];
  const calls = Array.from({ length: 100 }, async (_, index) => {
    if (index % 10 === 9) await elapse(0);
    return (stores[index % 2] ?? scene.store).add(set, [`member ${index}`], { ...minute, max: 10 });
  });
  const results = await Promise.all(calls);
  const added = results.flatMap((result) => result.added);
  expect(added).toHaveLength(10);
  expect(Math.max(...results.map(({ size }) => size))).toBe(10);
  expect(await sorted(scene, "set")).toEqual(added.toSorted());
}

async function oneAdds(scene: StateScene): Promise<void> {
  const stores = [scene.store, await scene.anotherProcess()];
  for (let round = 0; round < 30; round += 1) {
    const calls = [...stores, ...stores].map((store) => store.add(scene.key("set"), [`member ${round}`], minute));
    const added = (await Promise.all(calls)).flatMap((result) => result.added);
    expect(added).toEqual([`member ${round}`]);
  }
}

async function thousandMembers(scene: StateScene): Promise<void> {
  const members = Array.from({ length: 1_000 }, (_, index) => `member ${index}`);
  const { added, size } = await scene.store.add(scene.key("set"), members, { ...minute, max: 900 });
  expect(added).toEqual(members.slice(0, 900));
  expect(size).toBe(900);
  expect((await scene.store.members(scene.key("set"))).length).toBe(900);
  expect(await scene.store.remove(scene.key("set"), members)).toEqual({ removed: 900, size: 0 });
}
