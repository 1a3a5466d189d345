import { expect } from "vitest";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { resumeLimit } from "./outages.ts";
import { command } from "./programs.ts";

export const resultsTopic: FaultTopic = {
  name: "result",
  needs: ["processes", "server", "at-least-once"],
  rules: [{ name: "is still awaited in another process after a restart of the server", check: waiterSurvives }],
};

async function waiterSurvives(scene: FaultScene): Promise<void> {
  const [producer, waiter] = await Promise.all([scene.startProducer(), scene.startProducer()]);
  const load = scene.produce(producer, { prefix: "task", count: 1 });
  await load.enqueued;
  command(waiter, { type: "await", id: "task-0" });
  await waiter.waitFor("waiting", scene.patience);
  await scene.server.kill();
  await scene.server.start();
  const worker = await scene.startWorker();
  const { outcome } = await waiter.waitFor("outcome", { timeout: resumeLimit });
  expect(outcome).toMatchObject({ id: "task-0", status: "succeeded", result: { pid: worker.process.pid, attempt: 0 } });
  await load.finished;
}
