import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf, inFlightBetween } from "./in-flight.ts";

export const halfOpenTopic: FaultTopic = {
  name: "frozen connection",
  needs: ["processes", "server", "at-least-once", "redelivery"],
  rules: [
    { name: "of idle workers and producers is given up, and they resume", check: whileIdle },
    { name: "of busy workers and producers is given up, and they resume and lose nothing", check: whileBusy },
  ],
};

/** Milliseconds within which a connection that says nothing is given up, and its work goes on over a new one. */
const resumeLimit = 20_000;

/** The connections of worker and producer are never closed, and never say a word again. */
async function whileIdle(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const producer = await scene.startProducer();
  await scene.produce(producer, { prefix: "before", count: 5 }).finished;
  scene.proxy.abandon();
  const since = monotonicNow();
  await scene.produce(producer, { prefix: "after", count: 5 }).finished;
  const resumed = monotonicNow() - since;
  expect(resumed, "milliseconds to the results of what was enqueued after").toBeLessThan(resumeLimit);
  await scene.stopWorker(worker);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  scene.report(verdict, { "milliseconds to resume": resumed });
}

async function whileBusy(scene: FaultScene): Promise<void> {
  const count = 600;
  const concurrency = 20;
  const workers = await Promise.all([1, 2].map(() => scene.startWorker({ concurrency })));
  const load = scene.produce(await scene.startProducer(), { prefix: "task", count });
  await scene.executions.reach(count / 3, scene.patience);
  const since = Date.now();
  scene.proxy.abandon();
  const inFlight = [...(await inFlightBetween(scene.history, { since, until: since }))];
  await load.finished;
  const resumed = Date.now() - since;
  expect(resumed, "milliseconds until all was done").toBeLessThan(resumeLimit);
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: inFlight.length });
  expectRepeatsOf(verdict, inFlight);
  expect(verdict).toMatchObject({ acknowledged: count, executed: count });
  scene.report(verdict, { "milliseconds to resume": resumed });
}
