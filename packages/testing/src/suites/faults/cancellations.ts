import { type Handle, monotonicNow, type Outcome } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue, readHistory } from "../../total-queue/check-history.ts";
import { type HistoryWriter, openHistory } from "../../total-queue/history-writer.ts";
import { elapse } from "../patience.ts";
import type { FaultScene, RunningWorker } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { spread } from "./programs/messages.ts";
import { unsteady, work } from "./programs/tasks.ts";

export const cancellationsTopic: FaultTopic = {
  name: "cancel",
  needs: ["processes", "state", "at-least-once", "redelivery", "delay"],
  rules: [
    { name: "of what runs in another process reaches its signal", check: whatRuns },
    {
      name: "at random moments, while workers are killed, leaves each task one terminal state, and starts none that was cancelled before",
      check: atRandom,
    },
  ],
};

const long = 60_000;

async function whatRuns(scene: FaultScene): Promise<void> {
  const count = 20;
  const client = await scene.client();
  const worker = await scene.startWorker({ concurrency: count });
  using history = openHistory(scene.history, "canceller");
  const ids = Array.from({ length: count }, (_, index) => `long-${index}`);
  for (const id of ids) history.record("attempted", id);
  const handles = await Promise.all(ids.map((id) => client.enqueue(work, long, { id, queue: scene.queue })));
  for (const id of ids) history.record("acknowledged", id);
  await untilStarted(scene, count);
  const since = monotonicNow();
  await Promise.all(handles.map((handle) => handle.cancel("enough")));
  const outcomes = await Promise.all(handles.map((handle) => handle.outcome({ timeout: long / 2 })));
  const took = monotonicNow() - since;
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["cancelled"]));
  await scene.expectDepth({ dead: 0 });
  await scene.stopWorker(worker);
  scene.report(await assertTotalQueue(scene.history, { repeats: 0 }), { "milliseconds to the last outcome": took });
}

async function untilStarted(scene: FaultScene, count: number): Promise<void> {
  for (;;) {
    const started = (await readHistory(scene.history)).filter(({ event }) => event === "started");
    if (started.length >= count) return;
    await elapse(20);
  }
}

interface Cancelled {
  readonly id: string;
  readonly outcome: Outcome;
  /** Epoch milliseconds when `cancel` had answered that it is over; `undefined` when it could not say, or was not asked. */
  readonly overAt: number | undefined;
}

async function atRandom(scene: FaultScene): Promise<void> {
  const { count, kills, over } = scene.scale.cancellations;
  using history = openHistory(scene.history, "canceller");
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const killing = killNowAndThen(scene, workers, { kills, over });
  const tasks = await Promise.all(
    Array.from({ length: count }, (_, index) => playOne(scene, index, { history, over })),
  );
  await killing;
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: count });
  const events = await readHistory(scene.history);
  for (const { id, outcome, overAt } of tasks) {
    if (outcome.status === "failed")
      throw new Error(`Expected ${id} to succeed or be cancelled: ${outcome.error.message}`);
    if (overAt === undefined || outcome.status !== "cancelled") continue;
    const late = events.filter((event) => event.id === id && event.event === "started" && event.at > overAt);
    expect(late, `starts of ${id} after it was cancelled`).toEqual([]);
  }
  const client = await scene.client();
  for (const { id, outcome } of tasks) {
    expect(await client.handle(work, id, { queue: scene.queue }).get(), "the outcome, read again").toEqual(outcome);
  }
  const cancelled = tasks.filter(({ outcome }) => outcome.status === "cancelled").length;
  expect(cancelled, "tasks that were cancelled").toBeGreaterThan(0);
  scene.report(verdict, { cancelled, kills });
}

/** One task: some wait, some fail before they succeed, some are left alone. */
async function playOne(
  scene: FaultScene,
  index: number,
  { history, over }: { readonly history: HistoryWriter; readonly over: number },
): Promise<Cancelled> {
  const client = await scene.sharedClient();
  const id = `random-${index}`;
  await elapse(spread([0, over], index));
  history.record("attempted", id);
  const task = index % 4 === 1 ? unsteady : work;
  const delay = index % 3 === 0 ? spread([10, 1_000], index) : undefined;
  const options = { id, queue: scene.queue, ...(delay !== undefined && { delay }) };
  const handle: Handle = await client.enqueue(task, spread([5, 300], index), options);
  history.record("acknowledged", id);
  if (index % 5 === 4) return { id, outcome: await handle.outcome(), overAt: undefined };
  await elapse(spread([0, 700], index + 3));
  const answer = await handle.cancel(`cancelled ${index}`);
  const overAt = answer === "finished" ? Date.now() : undefined;
  const outcome = await handle.outcome();
  if (outcome.status === "cancelled") history.record("cancelled", id);
  return { id, outcome, overAt };
}

async function killNowAndThen(
  scene: FaultScene,
  workers: RunningWorker[],
  { kills, over }: { readonly kills: number; readonly over: number },
): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await elapse(over / kills);
    await workers[kill % 2]?.process.kill();
    workers[kill % 2] = await scene.startWorker();
  }
}
