import { expect } from "vitest";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

const sizeOfLargeResult = 4 * 1024 * 1024;
/** A limit above which the suite does not build outcomes to test it. */
const largestTestedOutcome = 64 * 1024 * 1024;

export const storeTopic: ResultTopic = {
  name: "store",
  needs: ["kept"],
  rules: [
    { name: "every field and every byte of every kind of outcome survives", check: allSurvive },
    { name: "resolves to the given object itself where it won", check: winnerIsItself },
    { name: "the first of a run wins, and later ones are answered with it", check: firstWins },
    { name: "the first of a run wins within one batch", check: firstWinsInBatch },
    { name: "of two processes that store at the same moment one wins, in 50 rounds", check: oneWins },
    { name: "the same outcome again changes nothing", check: idempotent },
    { name: "a higher run replaces a lower one", check: higherReplaces },
    { name: "a lower run never replaces a higher one", check: lowerNeverReplaces },
    { name: "the highest of ten runs stored at the same moment stands", check: highestStands },
    { name: "answers 500 per item and in order", check: answersInOrder },
    { name: "a result of 4 MiB survives, or what maxOutcomeBytes allows", check: largeSurvives },
    { name: "what is larger than maxOutcomeBytes is refused with an error of a code", check: tooLargeIsRefused },
    { name: "what the caller changes afterwards changes nothing stored", check: callerMayChange },
  ],
};

async function allSurvive(scene: ResultScene): Promise<void> {
  const cause = { name: "TypeError", message: "é 日本", code: "E_CODE", stack: "at a\n at b" };
  const { result: _, startedAt: __, ...neverRan } = createOutcome();
  const outcomes = [
    createOutcome({ attempt: 3, run: 2, result: { contentType: "a/b", body: Buffer.from([0, 10, 255, 13]) } }),
    createOutcome({ result: { contentType: "a/b", body: Buffer.alloc(0) } }),
    { ...neverRan, id: scene.newId(), status: "failed", error: { name: "Error", message: "m\n\0", cause } } as const,
    {
      ...neverRan,
      id: scene.newId(),
      status: "cancelled",
      reason: "no longer needed",
      code: "TASK_CANCELLED",
    } as const,
    { ...neverRan, id: `${scene.newId()}:0.a-b_c`, status: "cancelled", reason: "late", code: "TASK_EXPIRED" } as const,
  ];
  await scene.backend.store(outcomes);
  const other = await scene.anotherProcess();
  const found = await other.get(outcomes.map(({ id }) => id));
  for (const [index, outcome] of outcomes.entries()) expectSameOutcome(found[index], outcome);
}

async function winnerIsItself(scene: ResultScene): Promise<void> {
  const outcomes = [createOutcome(), createOutcome()];
  const winners = await scene.backend.store(outcomes);
  expect(winners.length).toBe(2);
  expect(winners[0]).toBe(outcomes[0]);
  expect(winners[1]).toBe(outcomes[1]);
  expect(await scene.backend.store([])).toEqual([]);
}

async function firstWins(scene: ResultScene): Promise<void> {
  const first = createOutcome();
  const later = createOutcome({ id: first.id, status: "failed", error: { name: "Error", message: "late" } });
  const other = await scene.anotherProcess();
  await scene.backend.store([first]);
  for (const backend of [scene.backend, other]) {
    const [winner] = await backend.store([later]);
    expectSameOutcome(winner, first, "winner");
  }
  expectSameOutcome(await scene.get(first.id), first);
}

async function firstWinsInBatch(scene: ResultScene): Promise<void> {
  const first = createOutcome();
  const second = createOutcome({ id: first.id });
  const winners = await scene.backend.store([first, second]);
  expect(winners[0]).toBe(first);
  expectSameOutcome(winners[1], first, "winner");
  expectSameOutcome(await scene.get(first.id), first);
}

async function oneWins(scene: ResultScene): Promise<void> {
  const backends = [scene.backend, await scene.anotherProcess()];
  for (let round = 0; round < 50; round += 1) {
    const id = scene.newId();
    const stored = await Promise.all(
      [...backends, ...backends].map(async (backend) => {
        const given = createOutcome({ id });
        const [winner] = await backend.store([given]);
        return { given, winner };
      }),
    );
    const [standing] = await scene.backend.get([id]);
    if (standing === undefined) throw new Error(`Expected an outcome of ${id} in round ${round}.`);
    for (const { winner } of stored) expectSameOutcome(winner, standing, `winner of round ${round}`);
    expect(stored.filter(({ given, winner }) => given === winner)).toHaveLength(1);
  }
}

async function idempotent(scene: ResultScene): Promise<void> {
  const outcome = createOutcome();
  for (let turn = 0; turn < 3; turn += 1) {
    const [winner] = await scene.backend.store([outcome]);
    expectSameOutcome(winner, outcome, "winner");
  }
  expectSameOutcome(await scene.get(outcome.id), outcome);
}

async function higherReplaces(scene: ResultScene): Promise<void> {
  const lower = createOutcome({ status: "failed", error: { name: "Error", message: "first run" } });
  const higher = createOutcome({ id: lower.id, run: 1 });
  await scene.backend.store([lower]);
  const [winner] = await scene.backend.store([higher]);
  expect(winner).toBe(higher);
  expectSameOutcome(await scene.get(lower.id), higher);
  const again = createOutcome({ id: lower.id, run: 10 });
  const [last] = await scene.backend.store([again]);
  expect(last).toBe(again);
  expectSameOutcome(await scene.get(lower.id), again);
}

async function lowerNeverReplaces(scene: ResultScene): Promise<void> {
  const standing = createOutcome({ run: 10 });
  await scene.backend.store([standing]);
  for (const run of [0, 1, 2, 9]) {
    const [winner] = await scene.backend.store([createOutcome({ id: standing.id, run })]);
    expectSameOutcome(winner, standing, `winner over run ${run}`);
  }
  expectSameOutcome(await scene.get(standing.id), standing);
}

async function highestStands(scene: ResultScene): Promise<void> {
  const backends = [scene.backend, await scene.anotherProcess()];
  for (let round = 0; round < 10; round += 1) {
    const id = scene.newId();
    const runs = Array.from({ length: 10 }, (_, run) => createOutcome({ id, run: (run * 7 + round) % 10 }));
    await Promise.all(runs.map((outcome, index) => (backends[index % 2] ?? scene.backend).store([outcome])));
    expect((await scene.get(id))?.run).toBe(9);
  }
}

async function answersInOrder(scene: ResultScene): Promise<void> {
  const standing = Array.from({ length: 250 }, () => createOutcome());
  await scene.backend.store(standing);
  const batch = standing.flatMap(({ id }) => [createOutcome({ id }), createOutcome()]);
  const winners = await scene.backend.store(batch);
  expect(winners.length).toBe(500);
  for (const [index, given] of batch.entries()) {
    const expected = index % 2 === 0 ? standing[index / 2] : given;
    expectSameOutcome(winners[index], expected ?? given, `winner ${index}`);
  }
}

async function largeSurvives(scene: ResultScene): Promise<void> {
  const size = Math.min(sizeOfLargeResult, scene.backend.capabilities.maxOutcomeBytes - 4 * 1024);
  const body = Buffer.alloc(size, "0123456789é\n\0");
  const outcome = createOutcome({ result: { contentType: "a/b", body } });
  const waiting = scene.wait(outcome.id, { backend: await scene.anotherProcess() });
  await scene.backend.store([outcome]);
  expectSameOutcome(await scene.get(outcome.id), outcome);
  expectSameOutcome(await waiting, outcome, "the waited-for outcome");
}

async function tooLargeIsRefused(scene: ResultScene): Promise<void> {
  const { maxOutcomeBytes } = scene.backend.capabilities;
  expect(maxOutcomeBytes).toBeGreaterThanOrEqual(64 * 1024);
  if (maxOutcomeBytes > largestTestedOutcome) return;
  const body = Buffer.alloc(maxOutcomeBytes + 1);
  const outcome = createOutcome({ result: { contentType: "a/b", body } });
  await expect(scene.backend.store([outcome])).rejects.toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) });
  expect(await scene.get(outcome.id)).toBeUndefined();
}

async function callerMayChange(scene: ResultScene): Promise<void> {
  const body = Buffer.from("as it was stored");
  const outcome = createOutcome({ result: { contentType: "a/b", body } });
  await scene.backend.store([outcome]);
  body.fill(0);
  expect(Buffer.from((await scene.get(outcome.id))?.result?.body ?? []).toString()).toBe("as it was stored");
}
