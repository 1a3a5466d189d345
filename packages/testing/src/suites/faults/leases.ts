import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import type { LoadReport } from "./programs/messages.ts";

export const leasesTopic: FaultTopic = {
  name: "lease",
  needs: ["processes", "at-least-once"],
  rules: [
    { name: "a task that takes several leases runs once, and so does what waits behind it", check: longTask },
    { name: "what waits behind a task that takes several leases is delivered once", check: countsOnce },
  ],
};

const lease = 1_200;

async function longTask(scene: FaultScene): Promise<void> {
  await runBehind(scene);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ started: 101, executed: 101 });
  scene.report(verdict);
}

/** What was handed back before it started was not spent. */
async function countsOnce(scene: FaultScene): Promise<void> {
  const outcomes = await runBehind(scene);
  const counts = outcomes.map((outcome) => outcome.status === "succeeded" && (outcome.result.deliveryCount ?? 1));
  expect(new Set(counts)).toEqual(new Set([1]));
}

async function runBehind(scene: FaultScene): Promise<LoadReport["outcomes"]> {
  const workers = await Promise.all([1, 2].map(() => scene.startWorker({ concurrency: 1, lease })));
  const producer = await scene.startProducer();
  const long = scene.produce(producer, { prefix: "long", count: 1, milliseconds: [3 * lease, 3 * lease] });
  await long.enqueued;
  // One worker is busy with it; the other would take it, had its lease ended.
  const short = scene.produce(await scene.startProducer(), { prefix: "short", count: 100 });
  const outcomes = (await Promise.all([long.finished, short.finished])).flatMap((report) => report.outcomes);
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  return outcomes;
}
