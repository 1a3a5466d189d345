import { monotonicNow, type StoredOutcome } from "@taskferry/core";
import { expect } from "vitest";
import { eventually } from "../patience.ts";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

export const getTopic: ResultTopic = {
  name: "get",
  needs: ["kept"],
  rules: [
    { name: "answers per id and in order, undefined for none", check: answersInOrder },
    { name: "an empty batch is answered by []", check: emptyBatch },
    { name: "ids at the ends of their grammar never meet", check: idsNeverMeet },
  ],
};

export const ttlTopic: ResultTopic = {
  name: "ttl",
  needs: ["kept"],
  rules: [
    { name: "an outcome is kept for its ttl, and reads as none afterwards", check: expires },
    { name: "counts from when it was stored, whoever loses against it later", check: countsFromStore },
    { name: "each outcome of a batch has its own", check: ownTtl },
    { name: "after it, the id is free again, for a lower run as well", check: freeAgain },
    { name: "a higher run brings its own", check: higherBringsOwn },
    { name: "an outcome that has expired ends no wait", check: endsNoWait },
  ],
};

export const deleteTopic: ResultTopic = {
  name: "delete",
  needs: ["kept"],
  rules: [
    { name: "says how many there were, and removes them for all", check: removes },
    { name: "after it, the id is free again, for a lower run as well", check: freeAfterDelete },
    { name: "500 in one call", check: removesMany },
  ],
};

async function answersInOrder(scene: ResultScene): Promise<void> {
  const outcomes = Array.from({ length: 200 }, () => createOutcome());
  await scene.backend.store(outcomes);
  const ids = outcomes.flatMap(({ id }) => [id, scene.newId()]);
  const found = await scene.backend.get([...ids, ids[0] ?? ""]);
  expect(found.map((outcome) => outcome?.id)).toEqual([
    ...ids.map((id, index) => (index % 2 === 0 ? id : undefined)),
    ids[0],
  ]);
}

async function emptyBatch(scene: ResultScene): Promise<void> {
  expect(await scene.backend.get([])).toEqual([]);
}

async function idsNeverMeet(scene: ResultScene): Promise<void> {
  const base = scene.newId();
  const ids = [
    base,
    base.toUpperCase(),
    `${base}:0`,
    `${base}:0:1`,
    `${base}.`,
    `${base}-`,
    `${base}_`,
    base.padEnd(200, "z"),
  ];
  const outcomes = ids.map((id) => createOutcome({ id }));
  await scene.backend.store(outcomes);
  const found = await scene.backend.get(ids);
  for (const [index, outcome] of outcomes.entries()) expectSameOutcome(found[index], outcome);
  expect(await scene.backend.delete([base])).toBe(1);
  expect((await scene.backend.get(ids)).filter((outcome) => outcome === undefined)).toHaveLength(1);
}

/** Expects an outcome that was stored after `start` to be there until its ttl is over, and not for long after. */
async function expectGone(scene: ResultScene, outcome: StoredOutcome, start: number): Promise<void> {
  await eventually(
    () => scene.get(outcome.id),
    (found) => found === undefined,
    outcome.ttl + scene.timing.slack,
  );
  // The clock of a server may count whole milliseconds.
  expect(monotonicNow() - start, "ms until it was gone").toBeGreaterThanOrEqual(outcome.ttl - 2);
}

async function expires(scene: ResultScene): Promise<void> {
  const kept = createOutcome({ ttl: 60_000 });
  const brief = createOutcome({ ttl: scene.timing.ttl });
  const start = monotonicNow();
  await scene.backend.store([kept, brief]);
  await expectGone(scene, brief, start);
  expectSameOutcome(await scene.get(kept.id), kept);
  expect(await scene.get(brief.id, await scene.anotherProcess())).toBeUndefined();
}

async function countsFromStore(scene: ResultScene): Promise<void> {
  const first = createOutcome({ ttl: 2 * scene.timing.ttl });
  const start = monotonicNow();
  await scene.backend.store([first]);
  const [winner] = await scene.backend.store([createOutcome({ id: first.id, ttl: 60_000 })]);
  expect(winner?.worker).toBe(first.worker);
  await expectGone(scene, first, start);
}

async function ownTtl(scene: ResultScene): Promise<void> {
  const brief = createOutcome({ ttl: scene.timing.ttl });
  const outcomes = [createOutcome({ ttl: 60_000 }), brief, createOutcome({ ttl: 50_000 })];
  const start = monotonicNow();
  await scene.backend.store(outcomes);
  await expectGone(scene, brief, start);
  const found = await scene.backend.get(outcomes.map(({ id }) => id));
  expect(found.map((outcome) => outcome?.id)).toEqual([outcomes[0]?.id, undefined, outcomes[2]?.id]);
}

async function freeAgain(scene: ResultScene): Promise<void> {
  const old = createOutcome({ run: 5, ttl: scene.timing.ttl });
  const start = monotonicNow();
  await scene.backend.store([old]);
  await expectGone(scene, old, start);
  const next = createOutcome({ id: old.id, run: 0 });
  const [winner] = await scene.backend.store([next]);
  expect(winner).toBe(next);
  expectSameOutcome(await scene.get(old.id), next);
}

async function higherBringsOwn(scene: ResultScene): Promise<void> {
  const lower = createOutcome({ ttl: 60_000 });
  await scene.backend.store([lower]);
  const higher = createOutcome({ id: lower.id, run: 1, ttl: scene.timing.ttl });
  const start = monotonicNow();
  await scene.backend.store([higher]);
  await expectGone(scene, higher, start);
}

async function endsNoWait(scene: ResultScene): Promise<void> {
  const old = createOutcome({ ttl: scene.timing.ttl });
  const start = monotonicNow();
  await scene.backend.store([old]);
  await expectGone(scene, old, start);
  const waiting = scene.wait(old.id);
  const next = createOutcome({ id: old.id });
  await scene.backend.store([next]);
  expectSameOutcome(await waiting, next);
}

async function removes(scene: ResultScene): Promise<void> {
  const [first, second] = [createOutcome(), createOutcome()];
  await scene.backend.store([first, second]);
  const other = await scene.anotherProcess();
  expect(await other.delete([first.id, scene.newId()])).toBe(1);
  expect(await scene.get(first.id)).toBeUndefined();
  expect(await scene.backend.delete([first.id])).toBe(0);
  expect(await scene.backend.delete([])).toBe(0);
  expectSameOutcome(await scene.get(second.id), second);
}

async function freeAfterDelete(scene: ResultScene): Promise<void> {
  const old = createOutcome({ run: 5 });
  await scene.backend.store([old]);
  await scene.backend.delete([old.id]);
  const next = createOutcome({ id: old.id });
  const waiting = scene.wait(old.id);
  const [winner] = await scene.backend.store([next]);
  expect(winner).toBe(next);
  expectSameOutcome(await waiting, next);
}

async function removesMany(scene: ResultScene): Promise<void> {
  const outcomes = Array.from({ length: 500 }, () => createOutcome());
  await scene.backend.store(outcomes);
  const ids = outcomes.map(({ id }) => id);
  expect(await scene.backend.delete(ids)).toBe(500);
  expect(await scene.backend.get(ids)).toEqual(ids.map(() => undefined));
}
