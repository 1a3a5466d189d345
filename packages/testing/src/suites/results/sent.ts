import { expect } from "vitest";
import { elapse, isSettled } from "../patience.ts";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

const sizeOfLargeResult = 4 * 1024 * 1024;

/** For backends that keep nothing: an outcome goes to the address that it carries. */
export const sentTopic: ResultTopic = {
  name: "sent",
  needs: ["not kept"],
  rules: [
    { name: "each value has an address of its own, which stays", check: addressStays },
    { name: "every field and every byte reaches the value whose address it carries, and no other", check: allArrive },
    { name: "one that came before its wait is given to it", check: cameBefore },
    { name: "of one run the first stands, and a higher run replaces it", check: firstStands },
    { name: "is held for its ttl", check: isHeldForTtl },
    { name: "one without an address, or with that of a value that is gone, is dropped", check: dropped },
    { name: "a large one arrives", check: largeArrives },
    { name: "get and delete know what has come, and nothing else", check: readsWhatCame },
  ],
};

async function addressStays(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const { replyTo } = other;
  expect(replyTo).toBeTypeOf("string");
  expect(Buffer.byteLength(replyTo ?? "")).toBeLessThanOrEqual(255);
  expect(replyTo).not.toBe(scene.backend.replyTo);
  await other.close();
  await other.connect();
  expect(other.replyTo).toBe(replyTo);
}

async function allArrive(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const cause = { name: "TypeError", message: "é 日本", code: "E_CODE", stack: "at a\n at b" };
  const { result: _, startedAt: __, ...neverRan } = scene.outcomeFor(other);
  const outcomes = [
    scene.outcomeFor(other, { attempt: 3, run: 2, result: { contentType: "a/b", body: Buffer.from([0, 10, 255]) } }),
    scene.outcomeFor(other, { result: { contentType: "a/b", body: Buffer.alloc(0) } }),
    { ...neverRan, id: scene.newId(), status: "failed", error: { name: "Error", message: "m\n\0", cause } } as const,
    { ...neverRan, id: `${scene.newId()}:0.a`, status: "cancelled", reason: "late", code: "TASK_EXPIRED" } as const,
  ];
  const winners = await scene.backend.store(outcomes);
  outcomes.forEach((outcome, index) => {
    expect(winners[index]).toBe(outcome);
  });
  for (const outcome of outcomes) expectSameOutcome(await scene.wait(outcome.id, { backend: other }), outcome);
  expect(await scene.backend.get(outcomes.map(({ id }) => id))).toEqual(outcomes.map(() => undefined));
}

/** Sent and arrived: the order of one sender is kept. */
async function arrive(scene: ResultScene): Promise<void> {
  const last = scene.outcomeFor(scene.backend);
  await scene.backend.store([last]);
  await scene.wait(last.id);
}

async function cameBefore(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  await scene.backend.store([outcome]);
  await arrive(scene);
  expectSameOutcome(await scene.wait(outcome.id), outcome);
  expectSameOutcome(await scene.wait(outcome.id), outcome, "the same again");
}

async function firstStands(scene: ResultScene): Promise<void> {
  const first = scene.outcomeFor(scene.backend, { run: 1 });
  const again = scene.outcomeFor(scene.backend, { id: first.id, run: 1 });
  const lower = scene.outcomeFor(scene.backend, { id: first.id });
  await scene.backend.store([first, again]);
  await scene.backend.store([lower]);
  await arrive(scene);
  expectSameOutcome(await scene.wait(first.id), first);
  const waiting = scene.wait(first.id, { run: 2 });
  await elapse(50);
  expect(await isSettled(waiting), "the wait has ended with a lower run").toBe(false);
  const higher = scene.outcomeFor(scene.backend, { id: first.id, run: 2 });
  await scene.backend.store([higher]);
  expectSameOutcome(await waiting, higher);
  expectSameOutcome(await scene.get(first.id), higher);
}

async function isHeldForTtl(scene: ResultScene): Promise<void> {
  const brief = scene.outcomeFor(scene.backend, { ttl: scene.timing.ttl });
  const kept = scene.outcomeFor(scene.backend);
  await scene.backend.store([brief, kept]);
  await arrive(scene);
  await elapse(scene.timing.ttl);
  expect(await scene.get(brief.id), "one whose time is over").toBeUndefined();
  expectSameOutcome(await scene.get(kept.id), kept);
}

async function dropped(scene: ResultScene): Promise<void> {
  const gone = await scene.anotherProcess();
  const outcomes = [createOutcome(), createOutcome({ replyTo: "nobody-listens-here" }), scene.outcomeFor(gone)];
  await gone.close();
  const winners = await scene.backend.store(outcomes);
  expect(winners.map(({ id }) => id)).toEqual(outcomes.map(({ id }) => id));
}

async function largeArrives(scene: ResultScene): Promise<void> {
  const size = Math.min(sizeOfLargeResult, scene.backend.capabilities.maxOutcomeBytes - 4 * 1024);
  const body = Buffer.alloc(size, "0123456789é\n\0");
  const outcome = scene.outcomeFor(scene.backend, { result: { contentType: "a/b", body } });
  await scene.backend.store([outcome]);
  expectSameOutcome(await scene.wait(outcome.id), outcome);
}

async function readsWhatCame(scene: ResultScene): Promise<void> {
  const [first, second] = [scene.outcomeFor(scene.backend), scene.outcomeFor(scene.backend)];
  await scene.backend.store([first, second]);
  await arrive(scene);
  const found = await scene.backend.get([first.id, scene.newId(), second.id]);
  expect(found.map((outcome) => outcome?.id)).toEqual([first.id, undefined, second.id]);
  expect(await scene.backend.delete([first.id, scene.newId()])).toBe(1);
  expect(await scene.get(first.id)).toBeUndefined();
  expect(await scene.backend.get([])).toEqual([]);
}
