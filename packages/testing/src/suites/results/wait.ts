import { getEventListeners, setMaxListeners } from "node:events";
import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { busyShare, elapse, isSettled, within } from "../patience.ts";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

/** One who is told has the outcome sooner than this, one who polls does not. Milliseconds. */
const pushed = 500;

export const waitTopic: ResultTopic = {
  name: "wait",
  rules: [
    { name: "resolves at once where the outcome stands already", needs: ["kept"], check: standsAlready },
    { name: "resolves when another process stores the outcome", check: waitsForStore },
    { name: "is pushed, not polled", check: isPushed },
    { name: "misses nothing that is stored at the same moment, in 100 rounds", check: missesNothing },
    { name: "an outcome of a lower run does not count", check: lowerDoesNotCount },
    { name: "gives the winner, not the last who stored", needs: ["kept"], check: givesWinner },
    { name: "200 waits on one id all resolve", needs: ["kept"], check: manyOnOne },
    { name: "500 waits on 500 ids each get their own", check: manyIds },
    { name: "many waits share one connection", check: shareConnection },
    { name: "rejects with the signal's reason, and at once when it has aborted before", check: rejectsWithReason },
    { name: "an abort ends no other wait on the same id", check: abortEndsNoOther },
    { name: "leaves no listener on the signal, whether it resolves or is aborted", check: leavesNoListener },
    { name: "rejects with CLOSED when the backend is closed meanwhile", check: closedMeanwhile },
    { name: "keeps nothing busy", check: burnsNothing },
  ],
};

async function standsAlready(scene: ResultScene): Promise<void> {
  const outcome = createOutcome();
  await scene.backend.store([outcome]);
  const other = await scene.anotherProcess();
  const start = monotonicNow();
  expectSameOutcome(await scene.wait(outcome.id, { backend: other }), outcome);
  expectSameOutcome(await scene.wait(outcome.id), outcome);
  expect(monotonicNow() - start, "ms until two waits ended").toBeLessThan(scene.timing.slack / 2);
}

async function waitsForStore(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const outcome = scene.outcomeFor(other);
  const waiting = scene.wait(outcome.id, { backend: other });
  await elapse(100);
  expect(await isSettled(waiting), "the wait has ended already").toBe(false);
  await scene.backend.store([outcome]);
  expectSameOutcome(await waiting, outcome);
}

async function isPushed(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const delays: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const outcome = scene.outcomeFor(other);
    const waiting = scene.wait(outcome.id, { backend: other });
    await elapse(100 + 40 * round);
    const start = monotonicNow();
    await scene.backend.store([outcome]);
    await waiting;
    delays.push(monotonicNow() - start);
  }
  const [best] = delays.toSorted((a, b) => a - b);
  expect(best, `ms from store to the end of the wait, best of ${delays}`).toBeLessThan(pushed);
}

/** A store between subscribing and reading must be seen by one of the two. */
async function missesNothing(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const start = monotonicNow();
  for (let round = 0; round < 100; round += 1) {
    const outcome = scene.outcomeFor(other);
    const waiting = scene.wait(outcome.id, { backend: other });
    if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
    if (round % 3 === 2) await elapse(round % 4);
    await scene.backend.store([outcome]);
    expectSameOutcome(await waiting, outcome, `outcome of round ${round}`);
  }
  expect((monotonicNow() - start) / 100, "ms of a round, on average").toBeLessThan(pushed);
}

async function lowerDoesNotCount(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const lower = scene.outcomeFor(other, { run: 1 });
  await scene.backend.store([lower]);
  const waiting = scene.wait(lower.id, { backend: other, run: 2 });
  await elapse(100);
  expect(await isSettled(waiting), "the wait has ended with a lower run").toBe(false);
  const higher = scene.outcomeFor(other, { id: lower.id, run: 3 });
  await scene.backend.store([higher]);
  expectSameOutcome(await waiting, higher);
  expectSameOutcome(await scene.wait(lower.id, { backend: other, run: 3 }), higher);
}

async function givesWinner(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  for (let round = 0; round < 20; round += 1) {
    const id = scene.newId();
    const waiting = scene.wait(id, { backend: other });
    await Promise.all([scene.backend.store([createOutcome({ id })]), other.store([createOutcome({ id })])]);
    const standing = await scene.get(id);
    if (standing === undefined) throw new Error(`Expected an outcome of ${id}.`);
    expectSameOutcome(await waiting, standing);
  }
}

async function manyOnOne(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const outcome = createOutcome();
  const backends = [scene.backend, other];
  const waiting = Array.from({ length: 200 }, (_, index) =>
    scene.wait(outcome.id, { backend: backends[index % 2] ?? other }),
  );
  await scene.backend.store([outcome]);
  for (const found of await Promise.all(waiting)) expectSameOutcome(found, outcome);
}

async function manyIds(scene: ResultScene): Promise<void> {
  const other = await scene.anotherProcess();
  const outcomes = Array.from({ length: 500 }, () => scene.outcomeFor(other));
  const waiting = outcomes.map(({ id }) => scene.wait(id, { backend: other }));
  for (let start = 0; start < 500; start += 100) await scene.backend.store(outcomes.slice(start, start + 100));
  for (const [index, found] of (await Promise.all(waiting)).entries()) {
    expectSameOutcome(found, outcomes[index] ?? found);
  }
}

async function shareConnection(scene: ResultScene): Promise<void> {
  await within(scene.wait((await storeOne(scene)).id), scene.timing.slack, "a first wait");
  const before = sockets();
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const waiting = Array.from({ length: 100 }, () => scene.backend.wait(scene.newId(), { signal: controller.signal }));
  const ended = Promise.allSettled(waiting);
  await elapse(200);
  expect(sockets() - before, "sockets more with 100 waits").toBeLessThanOrEqual(2);
  controller.abort();
  await ended;
}

async function storeOne(scene: ResultScene) {
  const outcome = scene.outcomeFor(scene.backend);
  await scene.backend.store([outcome]);
  return outcome;
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap" || kind === "TLSWrap").length;
}

async function rejectsWithReason(scene: ResultScene): Promise<void> {
  const reason = new Error("the caller's own reason");
  const early = scene.backend.wait(scene.newId(), { signal: AbortSignal.abort(reason) });
  await expect(within(early, scene.timing.slack, "the wait to end")).rejects.toBe(reason);
  const controller = new AbortController();
  const late = scene.backend.wait(scene.newId(), { signal: controller.signal });
  const ended = within(late, scene.timing.slack, "the wait to end after the abort");
  await Promise.all([expect(ended).rejects.toBe(reason), elapse(50).then(() => controller.abort(reason))]);
}

async function abortEndsNoOther(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  const controller = new AbortController();
  const aborted = Promise.allSettled([scene.backend.wait(outcome.id, { signal: controller.signal })]);
  const waiting = scene.wait(outcome.id);
  await elapse(50);
  controller.abort();
  expect(await aborted).toMatchObject([{ status: "rejected" }]);
  await (await scene.anotherProcess()).store([outcome]);
  expectSameOutcome(await waiting, outcome);
}

async function leavesNoListener(scene: ResultScene): Promise<void> {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  for (let round = 0; round < 20; round += 1) {
    const outcome = scene.outcomeFor(scene.backend);
    const waiting = scene.backend.wait(outcome.id, { signal: controller.signal });
    await scene.backend.store([outcome]);
    await within(waiting, scene.timing.slack, "the wait to end");
  }
  expect(getEventListeners(controller.signal, "abort"), "listeners left after waits that resolved").toEqual([]);
  const waiting = Array.from({ length: 20 }, () => scene.backend.wait(scene.newId(), { signal: controller.signal }));
  const ended = Promise.allSettled(waiting);
  await elapse(20);
  controller.abort();
  await ended;
  expect(getEventListeners(controller.signal, "abort"), "listeners left after waits that were aborted").toEqual([]);
}

async function closedMeanwhile(scene: ResultScene): Promise<void> {
  const backend = await scene.fresh();
  await backend.connect();
  const waiting = backend.wait(scene.newId(), { signal: new AbortController().signal });
  const ended = within(waiting, scene.timing.slack, "the wait to end after close");
  await Promise.all([expect(ended).rejects.toMatchObject({ code: "CLOSED" }), elapse(50).then(() => backend.close())]);
}

async function burnsNothing(scene: ResultScene): Promise<void> {
  const controller = new AbortController();
  const waiting = Promise.allSettled([scene.backend.wait(scene.newId(), { signal: controller.signal })]);
  const busy = await busyShare(() => elapse(200));
  controller.abort();
  await waiting;
  expect(busy, "share of time for which a wait keeps the process busy").toBeLessThan(0.5);
}
