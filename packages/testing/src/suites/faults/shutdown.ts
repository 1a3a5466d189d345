import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";

export const shutdownTopic: FaultTopic = {
  name: "shutdown",
  needs: ["processes", "at-least-once", "redelivery"],
  rules: [
    {
      name: "a worker that is told to stop hands back what has not started, unspent, and doubles nothing",
      check: rolling,
    },
  ],
};

async function rolling(scene: FaultScene): Promise<void> {
  const tasks = 800;
  const first = await scene.startWorker({ concurrency: 5 });
  const producer = await scene.startProducer();
  const load = scene.produce(producer, { prefix: "task", count: tasks, inFlight: 50 });
  await scene.executions.reach(100, scene.patience);
  await scene.stopWorker(first);
  expect(scene.executions.count, "executions by the worker that stopped").toBeLessThan(tasks);
  const second = await scene.startWorker();
  const { outcomes } = await load.finished;
  await scene.stopWorker(second);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ started: tasks, executed: tasks });
  const executions = outcomes.map((outcome) => (outcome.status === "succeeded" ? outcome.result : undefined));
  expect(new Set(executions.map((execution) => execution?.pid))).toEqual(
    new Set([first.process.pid, second.process.pid]),
  );
  const spent = executions.filter((execution) => execution?.attempt !== 0 || (execution.deliveryCount ?? 1) !== 1);
  expect(spent, "tasks that were handed back with less than they came with").toEqual([]);
  scene.report(verdict);
}
