import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";

export const resetsTopic: FaultTopic = {
  name: "reset",
  needs: ["processes", "server", "at-least-once", "redelivery"],
  rules: [{ name: "of every connection, twice a second, loses nothing", check: againAndAgain }],
};

/** Milliseconds between two resets. */
const every = 500;

async function againAndAgain(scene: FaultScene): Promise<void> {
  const { resetFor, tasks } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const producers = await Promise.all([scene.startProducer(), scene.startProducer()]);
  const resets = Math.ceil(resetFor / every);
  // Enough pause that there is work for as long as there are resets.
  const count = Math.ceil(tasks / 5);
  const pause = Math.ceil((resetFor * 10) / count);
  const loads = producers.map((producer, index) =>
    scene.produce(producer, { prefix: `producer-${index}`, count, pause }),
  );
  for (let reset = 0; reset < resets; reset += 1) {
    await elapse(every);
    scene.proxy.reset();
  }
  await Promise.all(loads.map(({ finished }) => finished));
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  // Each reset may repeat whatever was in flight at the time: two workers with 20 tasks each.
  const verdict = await assertTotalQueue(scene.history, { repeats: resets * 2 * 20 });
  expect(verdict).toMatchObject({ executed: 2 * count });
  scene.report(verdict, { resets });
}
