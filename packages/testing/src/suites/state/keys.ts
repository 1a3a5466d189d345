import type { StateKey } from "@taskferry/core";
import fc from "fast-check";
import { expect } from "vitest";
import { type StateScene, type StateTopic, textOf } from "./state-scene.ts";

export const keysTopic: StateTopic = {
  name: "keys",
  rules: [
    { name: "no two keys meet, of any well-formed segments", check: noTwoMeet },
    { name: "no two keys meet, of segments made to be confused", check: confusable },
    { name: "counters and sets have keys like entries", check: countersAndSets },
    { name: "a prefix is whole segments, and the key of the prefix belongs to it", check: wholeSegments },
    { name: "a key of 20 segments and one of 200 characters", check: longKeys },
  ],
};

export const listTopic: StateTopic = {
  name: "list",
  rules: [
    { name: "ordered by key, in pages, each entry once", check: pagesInOrder },
    { name: "entries carry key, value and revision", check: wholeEntries },
    { name: "what is deleted between two pages is missed, and nothing else", check: deletedBetween },
    { name: "nothing under the prefix: an empty page without a cursor", check: nothingThere },
    { name: "2,500 entries", check: manyEntries },
  ],
};

/** What separates, ends, escapes or matches somewhere. */
const special = [
  "",
  ":",
  "/",
  ".",
  "*",
  ">",
  "%",
  "_",
  "\\",
  "{",
  "}",
  "[",
  "?",
  "\0",
  " ",
  "\n",
  "=",
  "+",
  "-",
  "|",
  '"',
  "'",
];

const confusing = fc
  .array(fc.constantFrom(...special, "a", "b", "%3A", "%00", "\\0", "é", "e\u0301", "日", "🚢", "A"), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(""))
  .filter((segment) => segment.length > 0);

/** Any string of code points, surrogates come in pairs only: what has no UTF-8 is no text. */
const anything = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });

function distinctKeys(segment: fc.Arbitrary<string>): fc.Arbitrary<string[][]> {
  return fc.uniqueArray(fc.array(segment, { minLength: 1, maxLength: 4 }), {
    minLength: 2,
    maxLength: 25,
    selector: (key) => JSON.stringify(key),
  });
}

async function noTwoMeet(scene: StateScene): Promise<void> {
  await keepApart(scene, distinctKeys(anything));
}

async function confusable(scene: StateScene): Promise<void> {
  await keepApart(scene, distinctKeys(confusing));
}

/** Writes each key its own value, then reads and lists them, and compares with the keys as lists of strings. */
async function keepApart(scene: StateScene, keysOf: fc.Arbitrary<string[][]>): Promise<void> {
  let round = 0;
  await fc.assert(
    fc.asyncProperty(keysOf, async (segments) => {
      round += 1;
      const base = scene.key(`${round}`);
      const keys: StateKey[] = segments.map((rest) => [...base, ...rest]);
      await scene.store.put(keys.map((key) => ({ key, value: Buffer.from(JSON.stringify(key)) })));
      const entries = await scene.store.get(keys);
      expect(entries.map((entry) => entry?.key)).toEqual(keys);
      expect(entries.map(textOf)).toEqual(keys.map((key) => JSON.stringify(key)));
      for (const prefix of [base, keys[0] ?? base, (keys[1] ?? base).slice(0, 3)]) {
        const expected = keys.filter((key) => prefix.every((segment, index) => key[index] === segment));
        const { entries: listed } = await scene.store.list(prefix, { limit: 100 });
        expect(listed.map(textOf).sort()).toEqual(expected.map((key) => JSON.stringify(key)).sort());
      }
    }),
    { numRuns: 40 },
  );
}

async function countersAndSets(scene: StateScene): Promise<void> {
  const keys = [["a", "b"], ["a:b"], ["a/b"], ["a", "b", "c"], ["a", "b:c"], ["a%3Ab"], ["é"], ["e\u0301"], ["A", "b"]];
  for (const [index, rest] of keys.entries()) {
    await scene.store.increment(scene.key(...rest), index + 1, { ttl: 60_000 });
    await scene.store.add(scene.key(...rest), [`${index}`], { ttl: 60_000 });
  }
  for (const [index, rest] of keys.entries()) {
    expect((await scene.store.increment(scene.key(...rest), 0, { ttl: 60_000 })).value).toBe(index + 1);
    expect(await scene.store.members(scene.key(...rest))).toEqual([`${index}`]);
  }
}

async function wholeSegments(scene: StateScene): Promise<void> {
  const keys = [
    ["job"],
    ["job", "1"],
    ["job", "1", "x"],
    ["job", "10"],
    ["jobs"],
    ["jobs", "1"],
    ["jo"],
    ["job:1"],
    ["job/1"],
  ];
  for (const rest of keys) await scene.write(scene.key(...rest), rest.join("|"));
  const under = async (...prefix: string[]) =>
    (await scene.store.list(scene.key(...prefix), { limit: 100 })).entries.map(textOf).sort();
  expect(await under("job")).toEqual(["job", "job|1", "job|10", "job|1|x"].sort());
  expect(await under("job", "1")).toEqual(["job|1", "job|1|x"].sort());
  expect(await under("jobs")).toEqual(["jobs", "jobs|1"].sort());
  expect(await under("none")).toEqual([]);
  expect(await under()).toHaveLength(keys.length);
}

async function longKeys(scene: StateScene): Promise<void> {
  const keys = [Array.from({ length: 20 }, (_, index) => `${index}`), ["é".repeat(100), "x".repeat(100)]];
  for (const rest of keys) await scene.write(scene.key(...rest), rest.join("|"));
  for (const rest of keys) expect(await scene.text(scene.key(...rest))).toBe(rest.join("|"));
}

/** All pages under the scene's prefix. */
async function listAll(scene: StateScene, limit: number, between?: (last: string) => Promise<void>): Promise<string[]> {
  const texts: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 10_000; page += 1) {
    const answer = await scene.store.list([scene.prefix], { limit, ...(cursor !== undefined && { cursor }) });
    expect(answer.entries.length, "entries of one page").toBeLessThanOrEqual(limit);
    texts.push(...answer.entries.map((entry) => textOf(entry) ?? ""));
    cursor = answer.cursor;
    if (cursor === undefined) return texts;
    await between?.(texts.at(-1) ?? "");
  }
  throw new Error("Expected the cursor to lead to an end.");
}

async function fill(scene: StateScene, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `${index}`.padStart(5, "0"));
  const shuffled = names.toSorted((a, b) =>
    [...a]
      .reverse()
      .join("")
      .localeCompare([...b].reverse().join("")),
  );
  for (let start = 0; start < count; start += 500) {
    const batch = shuffled.slice(start, start + 500);
    await scene.store.put(batch.map((name) => ({ key: scene.key(name), value: Buffer.from(name) })));
  }
  return names;
}

async function pagesInOrder(scene: StateScene): Promise<void> {
  const names = await fill(scene, 25);
  for (const limit of [1, 7, 25, 100]) expect(await listAll(scene, limit), `pages of ${limit}`).toEqual(names);
}

async function wholeEntries(scene: StateScene): Promise<void> {
  const revision = await scene.write(scene.key("a"), "A", { ttl: 60_000 });
  const { entries } = await scene.store.list([scene.prefix], { limit: 10 });
  expect(entries).toMatchObject([{ key: scene.key("a"), revision, expiresAt: expect.any(Number) }]);
  expect(entries.map(textOf)).toEqual(["A"]);
}

async function deletedBetween(scene: StateScene): Promise<void> {
  const names = await fill(scene, 20);
  const deleted: string[] = [];
  const seen = await listAll(scene, 5, async (last) => {
    const next = names[names.indexOf(last) + 1];
    if (next === undefined) return;
    deleted.push(next);
    await scene.store.delete([{ key: scene.key(next) }]);
  });
  expect(deleted.length).toBeGreaterThan(1);
  expect(seen).toEqual(names.filter((name) => !deleted.includes(name)));
}

async function nothingThere(scene: StateScene): Promise<void> {
  expect(await scene.store.list([scene.prefix], { limit: 10 })).toEqual({ entries: [] });
}

async function manyEntries(scene: StateScene): Promise<void> {
  const names = await fill(scene, 2_500);
  expect(await listAll(scene, 1_000)).toEqual(names);
}
