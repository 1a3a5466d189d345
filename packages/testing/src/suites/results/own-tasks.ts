import { setImmediate as turn } from "node:timers/promises";
import { createId, monotonicNow, newestIdTime, type StoredOutcome } from "@taskferry/core";
import { expect } from "vitest";
import { eventuallyServed } from "../interruptions.ts";
import { elapse, isSettled, within } from "../patience.ts";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

/**
 * Ids tell which process made them, so that a backend may hear of all outcomes of its own process in one way and remember
 * them for a moment. Whatever it remembers, those who wait find what stands.
 */
export const ownTasksTopic: ResultTopic = {
  name: "tasks of this process",
  rules: [
    { name: "are awaited before they end and after, again and again", needs: ["kept"], check: againAndAgain },
    { name: "an outcome is found that many others followed", needs: ["kept"], check: beforeMany },
    { name: "an outcome is found that large ones followed", needs: ["kept"], check: beforeLarge },
    {
      name: "an outcome that was removed is given to nobody any more",
      needs: ["kept"],
      check: afterRemoval,
    },
    { name: "a wait ends in the middle of outcomes that nobody waits for", check: amongOthers },
    {
      name: "a wait goes on through a restart, and one that began in it",
      needs: ["kept", "restart"],
      check: overRestart,
    },
  ],
};

/** Of a task that this process made, in no millisecond in which it made another. */
async function ownOutcome(fields: Partial<StoredOutcome> = {}): Promise<StoredOutcome> {
  for (const before = newestIdTime(); newestIdTime() === before; ) await turn();
  return createOutcome({ id: createId(), ...fields });
}

/** Has it wait for one task of this process, as it does from then on. */
async function begin(scene: ResultScene): Promise<void> {
  const first = await ownOutcome();
  await scene.backend.store([first]);
  expectSameOutcome(await scene.wait(first.id), first);
}

/** Waits for what stands already: who was not told of it reads it at once, not by the clock. */
async function findsAtOnce(scene: ResultScene, outcome: StoredOutcome): Promise<void> {
  const start = monotonicNow();
  expectSameOutcome(await scene.wait(outcome.id), outcome);
  expect(monotonicNow() - start, "milliseconds until it was found").toBeLessThan(scene.timing.slack / 2);
}

async function againAndAgain(scene: ResultScene): Promise<void> {
  await begin(scene);
  for (let round = 0; round < 20; round += 1) {
    const [late, early] = [await ownOutcome(), await ownOutcome()];
    const waiting = scene.wait(late.id);
    await scene.backend.store([late, early]);
    expectSameOutcome(await waiting, late);
    expectSameOutcome(await scene.wait(early.id), early);
    expectSameOutcome(await scene.wait(late.id), late);
  }
}

async function beforeMany(scene: ResultScene): Promise<void> {
  await begin(scene);
  const first = await ownOutcome();
  const others = Array.from({ length: 1_500 }, () => createOutcome({ id: createId() }));
  await scene.backend.store([first, ...others]);
  await findsAtOnce(scene, first);
  await findsAtOnce(scene, others.at(-1) as StoredOutcome);
}

async function beforeLarge(scene: ResultScene): Promise<void> {
  await begin(scene);
  const length = Math.min(512 * 1024, scene.backend.capabilities.maxOutcomeBytes - 4_096);
  const result = { contentType: "application/octet-stream", body: Buffer.alloc(length) };
  const first = await ownOutcome({ result });
  const others = Array.from({ length: 11 }, () => createOutcome({ id: createId(), result }));
  await scene.backend.store([first, ...others]);
  await findsAtOnce(scene, first);
}

async function afterRemoval(scene: ResultScene): Promise<void> {
  await begin(scene);
  const outcome = await ownOutcome();
  await scene.backend.store([outcome]);
  expectSameOutcome(await scene.wait(outcome.id), outcome);
  await scene.backend.delete([outcome.id]);
  const waiting = scene.wait(outcome.id);
  await elapse(100);
  expect(await isSettled(waiting), "the wait has ended with what was removed").toBe(false);
  const again = createOutcome({ id: outcome.id, run: 1 });
  await scene.backend.store([again]);
  expectSameOutcome(await waiting, again);
}

async function amongOthers(scene: ResultScene): Promise<void> {
  const { backend } = scene;
  const outcome = scene.outcomeFor(backend, { id: createId() });
  const waiting = scene.wait(outcome.id);
  // In parts: a call has only so much time.
  for (let part = 0; part < 20; part += 1) {
    const others = Array.from({ length: 100 }, () => scene.outcomeFor(backend, { id: createId() }));
    await backend.store(others);
  }
  await backend.store([outcome]);
  expectSameOutcome(await waiting, outcome);
}

async function overRestart(scene: ResultScene): Promise<void> {
  await begin(scene);
  const [before, during] = [await ownOutcome(), await ownOutcome()];
  const { callTimeout } = scene.timing;
  const wait = ({ id }: StoredOutcome) => scene.backend.wait(id, { signal: AbortSignal.timeout(3 * callTimeout) });
  const first = wait(before);
  const restarted = scene.harness.restart?.();
  const second = wait(during);
  await restarted;
  const other = await eventuallyServed(() => scene.anotherProcess(), scene);
  await eventuallyServed(() => other.store([before, during]), scene);
  expectSameOutcome(await within(first, callTimeout, "the wait from before to go on"), before);
  expectSameOutcome(await within(second, callTimeout, "the wait from then to go on"), during);
}
