import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";

export const fairnessTopic: FaultTopic = {
  name: "fairness",
  needs: ["processes", "at-least-once", "redelivery"],
  rules: [{ name: "no task waits at a busy worker while another is idle", check: sharesOut }],
};

const slow = { count: 12, milliseconds: 400 };

/** Many quick tasks have taught both workers to look far ahead when the slow ones come. */
async function sharesOut(scene: FaultScene): Promise<void> {
  const workers = await Promise.all([1, 2].map(() => scene.startWorker({ concurrency: 1 })));
  const producer = await scene.startProducer();
  await scene.produce(producer, { prefix: "quick", count: 1_000, inFlight: 200, milliseconds: [0, 0] }).finished;
  const begun = monotonicNow();
  const { outcomes } = await scene.produce(producer, {
    prefix: "slow",
    count: slow.count,
    inFlight: slow.count,
    milliseconds: [slow.milliseconds, slow.milliseconds],
  }).finished;
  const took = monotonicNow() - begun;
  const alone = slow.count * slow.milliseconds;
  // Two workers need half of it, and one task more for what they could not share.
  expect(took, `milliseconds for what takes one worker ${alone}`).toBeLessThan(0.75 * alone);
  const shares = workers.map(
    ({ process }) =>
      outcomes.filter((outcome) => outcome.status === "succeeded" && outcome.result.pid === process.pid).length,
  );
  expect(Math.min(...shares), `the smaller share of ${slow.count} tasks`).toBeGreaterThanOrEqual(slow.count / 3);
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
}
