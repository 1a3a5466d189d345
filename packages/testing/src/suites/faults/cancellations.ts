import type { Handle, WorkerEvent } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { openHistory } from "../../total-queue/history-writer.ts";
import { expectSignals } from "./cancelled-runs.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { HeardWorker } from "./heard-worker.ts";
import { deaf, work } from "./programs/tasks.ts";
import { cancelAtRandom } from "./random-cancellations.ts";

const needs = ["state", "at-least-once", "redelivery", "delay"] as const;

export const cancellationsTopic: FaultTopic = {
  name: "cancel",
  needs,
  rules: [
    {
      name: "of what runs reaches its signal at once; by force it stands at once, and ends what does not listen",
      check: whatRuns,
    },
    {
      name: "at random moments, while workers are killed, leaves each task one terminal state, and starts none that was cancelled before",
      check: cancelAtRandom,
    },
  ],
};

export const unheardCancellationsTopic: FaultTopic = {
  name: "cancel unheard",
  needs: [...needs, "processes", "server"],
  rules: [
    {
      name: "of what runs in a worker that is cut off reaches its signal within a heartbeat of its connection",
      check: cutOff,
    },
  ],
};

const long = 60_000;
const count = 20;
/** Milliseconds that a handler has after it was cancelled by force. */
const grace = 300;

interface Running {
  readonly worker: HeardWorker;
  readonly handles: readonly Handle[];
}

/** Half of them end by themselves, the other half does not listen and is given up. */
async function whatRuns(scene: FaultScene): Promise<void> {
  const { worker, handles } = await startLong(scene, { deaf: count / 2 });
  const [stubborn, willing] = [handles.slice(0, count / 2), handles.slice(count / 2)];
  const since = Date.now();
  const graceful = Promise.all(willing.map((handle) => handle.cancel("enough")));
  const answers = await Promise.all(stubborn.map((handle) => handle.cancel("now", { mode: "force", grace })));
  expect(new Set(answers)).toEqual(new Set(["finished"]));
  const standing = await Promise.all(stubborn.map((handle) => handle.get()));
  expect(new Set(standing.map(({ status }) => status)), "by force, at once").toEqual(new Set(["cancelled"]));
  await graceful;
  await expectAllCancelled(scene, handles);
  const outcomes = Date.now() - since;
  await worker.heard("task.abandoned", count / 2, scene.patience);
  const abandoned = Math.max(
    ...worker.events.filter(({ type }) => type === "task.abandoned").map(({ at }) => at - since),
  );
  expect(abandoned, "milliseconds until the last is given up").toBeLessThanOrEqual(grace + scene.scale.signal);
  const latest = await expectSignals(scene, { ids: handles.map(({ id }) => id), since, limit: scene.scale.signal });
  await worker.heard("task.cancelled", count, scene.patience);
  await scene.expectDepth({ dead: 0 });
  await worker.stop();
  scene.report(await assertTotalQueue(scene.history, { repeats: 0 }), {
    "milliseconds to the last signal": latest,
    "milliseconds to the last outcome": outcomes,
    "milliseconds until the last is given up": abandoned,
  });
}

const lease = 6_000;
const heartbeat = lease / 3;

/** Nothing is pushed to a worker without connections; once it has them again, its heartbeat reads what it missed. */
async function cutOff(scene: FaultScene): Promise<void> {
  const { worker, handles } = await startLong(scene, { lease });
  scene.proxy.use("refuse");
  scene.proxy.reset();
  await Promise.all(handles.map((handle) => handle.cancel("enough")));
  const isConnected = (event: WorkerEvent): boolean => event.type === "broker" && event.event.type === "connected";
  const connected = worker.next("the worker to be connected again", isConnected, scene.patience);
  scene.proxy.use("pass");
  await connected;
  const since = Date.now();
  await expectAllCancelled(scene, handles);
  const latest = await expectSignals(scene, {
    ids: handles.map(({ id }) => id),
    since,
    limit: heartbeat + scene.scale.signal,
  });
  await scene.expectDepth({ dead: 0 });
  await worker.stop();
  scene.report(await assertTotalQueue(scene.history, { repeats: 0 }), {
    "milliseconds from the connection to the last signal": latest,
  });
}

/** Tasks that run in one worker for as long as the test takes. */
async function startLong(
  scene: FaultScene,
  { deaf: stubborn = 0, ...settings }: { readonly deaf?: number; readonly lease?: number },
): Promise<Running> {
  const client = await scene.sharedClient();
  const worker = await HeardWorker.start(scene, { concurrency: count, ...settings });
  using history = openHistory(scene.history, "canceller");
  const ids = Array.from({ length: count }, (_, index) => `long-${index}`);
  for (const id of ids) history.record("attempted", id);
  const handles = await Promise.all(
    ids.map((id, index) => client.enqueue(index < stubborn ? deaf : work, long, { id, queue: scene.queue })),
  );
  for (const id of ids) history.record("acknowledged", id);
  await worker.heard("task.started", count, scene.patience);
  return { worker, handles };
}

/** Who waits is told of each. A worker that lost its connection meanwhile may not be. */
async function expectAllCancelled(scene: FaultScene, handles: readonly Handle[]): Promise<void> {
  const outcomes = await Promise.all(handles.map((handle) => handle.outcome({ timeout: long / 2 })));
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["cancelled"]));
  using history = openHistory(scene.history, "waiting");
  for (const { id } of handles) history.record("cancelled", id);
}
