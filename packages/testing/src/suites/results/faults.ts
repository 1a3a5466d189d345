import { expect } from "vitest";
import { briefly, eventuallyServed, interruption, isUnavailable } from "../interruptions.ts";
import { elapse, isSettled, within } from "../patience.ts";
import { createOutcome, expectSameOutcome } from "./outcomes.ts";
import type { ResultScene, ResultTopic } from "./result-scene.ts";

export const resultOutageTopic: ResultTopic = {
  name: "outage",
  needs: ["outage"],
  rules: [
    { name: "store, and get and delete of what is kept, reject with BROKER_UNAVAILABLE", check: callsReject },
    { name: "wait goes on through it", check: waitGoesOn },
    { name: "wait is aborted meanwhile with the signal's reason", check: waitAborts },
    { name: "ten in a row leave a backend that works", check: tenInARow },
    { name: "connect rejects with BROKER_UNAVAILABLE, and can be called again", check: connectFails },
  ],
};

export const resultFreezeTopic: ResultTopic = {
  name: "half-open",
  needs: ["freeze"],
  rules: [
    { name: "no call hangs", check: noCallHangs },
    { name: "a wait is served after it", check: frozenWait },
  ],
};

export const resultRestartTopic: ResultTopic = {
  name: "restart",
  needs: ["restart"],
  rules: [
    { name: "outcomes are still there", needs: ["durable"], check: outcomesStay },
    { name: "a wait goes on", check: waitSurvives },
  ],
};

export const resultLostReplyTopic: ResultTopic = {
  name: "lost reply",
  needs: ["cutNextReply"],
  rules: [{ name: "of store: sent again, the first still wins", needs: ["kept"], check: ofStore }],
};

async function callsReject(scene: ResultScene): Promise<void> {
  const outage = interruption(scene, "outage");
  await outage.begin();
  const calls: Readonly<Record<string, Promise<unknown>>> = {
    store: scene.backend.store([scene.outcomeFor(scene.backend)]),
    // What is not kept is looked for in the process itself.
    ...(scene.backend.capabilities.kept !== false && {
      get: scene.backend.get([scene.newId()]),
      delete: scene.backend.delete([scene.newId()]),
    }),
  };
  const rejected = Object.entries(calls).map(async ([name, call]) => {
    await expect(within(call, scene.timing.callTimeout, `${name} to end`), name).rejects.toSatisfy(isUnavailable);
  });
  await Promise.all(rejected);
  await outage.end();
  const outcome = scene.outcomeFor(scene.backend);
  const [winner] = await eventuallyServed(() => scene.backend.store([outcome]), scene);
  expectSameOutcome(winner, outcome, "winner");
}

async function waitGoesOn(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  const signal = AbortSignal.timeout(3 * scene.timing.callTimeout);
  const waiting = scene.backend.wait(outcome.id, { signal });
  const outage = interruption(scene, "outage");
  await outage.begin();
  await elapse(briefly);
  expect(await isSettled(waiting), "the wait has ended already").toBe(false);
  await outage.end();
  const other = await eventuallyServed(() => scene.anotherProcess(), scene);
  await eventuallyServed(() => other.store([outcome]), scene);
  expectSameOutcome(await within(waiting, scene.timing.callTimeout, "the wait to go on"), outcome);
}

async function waitAborts(scene: ResultScene): Promise<void> {
  const reason = new Error("the caller's own reason");
  const controller = new AbortController();
  const waiting = scene.backend.wait(scene.newId(), { signal: controller.signal });
  const ended = expect(within(waiting, scene.timing.callTimeout, "the wait to end")).rejects.toBe(reason);
  const outage = interruption(scene, "outage");
  await outage.begin();
  await elapse(briefly);
  controller.abort(reason);
  await ended;
}

async function tenInARow(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  const waiting = scene.backend.wait(outcome.id, { signal: AbortSignal.timeout(3 * scene.timing.callTimeout) });
  for (let round = 0; round < 10; round += 1) {
    await scene.harness.outage?.begin();
    await elapse(round * 7);
    await scene.harness.outage?.end();
  }
  await eventuallyServed(() => scene.backend.store([outcome]), scene);
  expectSameOutcome(await within(waiting, scene.timing.callTimeout, "the wait to go on"), outcome);
}

async function connectFails(scene: ResultScene): Promise<void> {
  const backend = await scene.harness.connect();
  const outage = interruption(scene, "outage");
  await outage.begin();
  const connecting = within(backend.connect(), scene.timing.callTimeout, "connect to fail");
  await expect(connecting).rejects.toSatisfy(isUnavailable);
  await outage.end();
  await eventuallyServed(() => backend.connect(), scene);
  await backend.store([createOutcome()]);
  await backend.close();
}

async function noCallHangs(scene: ResultScene): Promise<void> {
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  const calls: Readonly<Record<string, Promise<unknown>>> = {
    store: scene.backend.store([scene.outcomeFor(scene.backend)]),
    get: scene.backend.get([scene.newId()]),
    delete: scene.backend.delete([scene.newId()]),
  };
  const ended = Object.entries(calls).map(([name, call]) =>
    within(Promise.allSettled([call]), scene.timing.callTimeout, `${name} to end`),
  );
  await Promise.all(ended);
}

async function frozenWait(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  const waiting = scene.backend.wait(outcome.id, { signal: AbortSignal.timeout(3 * scene.timing.callTimeout) });
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  await elapse(briefly);
  await freeze.end();
  const other = await eventuallyServed(() => scene.anotherProcess(), scene);
  await eventuallyServed(() => other.store([outcome]), scene);
  expectSameOutcome(await within(waiting, 2 * scene.timing.callTimeout, "the wait to go on"), outcome);
}

async function outcomesStay(scene: ResultScene): Promise<void> {
  const outcomes = Array.from({ length: 50 }, () => createOutcome());
  const brief = createOutcome({ ttl: scene.timing.ttl });
  await scene.backend.store([...outcomes, brief]);
  await scene.harness.restart?.();
  const found = await eventuallyServed(() => scene.backend.get(outcomes.map(({ id }) => id)), scene);
  for (const [index, outcome] of outcomes.entries()) expectSameOutcome(found[index], outcome);
  await elapse(scene.timing.ttl);
  expect(await scene.get(brief.id), "an outcome whose time is over").toBeUndefined();
}

async function waitSurvives(scene: ResultScene): Promise<void> {
  const outcome = scene.outcomeFor(scene.backend);
  const waiting = scene.backend.wait(outcome.id, { signal: AbortSignal.timeout(3 * scene.timing.callTimeout) });
  await elapse(50);
  await scene.harness.restart?.();
  const other = await eventuallyServed(() => scene.anotherProcess(), scene);
  await eventuallyServed(() => other.store([outcome]), scene);
  expectSameOutcome(await within(waiting, scene.timing.callTimeout, "the wait to go on"), outcome);
}

async function ofStore(scene: ResultScene): Promise<void> {
  const first = createOutcome();
  await scene.harness.cutNextReply?.("store");
  const [winner] = await eventuallyServed(() => scene.backend.store([first]), scene);
  expectSameOutcome(winner, first, "winner");
  const other = await scene.anotherProcess();
  const [standing] = await other.store([createOutcome({ id: first.id })]);
  expectSameOutcome(standing, first, "winner");
}
