import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import type { Execution } from "./programs/tasks.ts";

export const shutdownTopic: FaultTopic = {
  name: "shutdown",
  needs: ["processes", "at-least-once", "redelivery"],
  rules: [
    {
      name: "a worker that is told to stop hands back what has not started, its attempt unspent, and doubles nothing",
      check: handBack,
    },
    { name: "what a worker hands back as it stops is not counted as delivered", check: handBackUncounted },
  ],
};

const tasks = 800;

interface Stop {
  readonly pids: readonly (number | undefined)[];
  readonly executions: readonly (Execution | undefined)[];
}

async function handBack(scene: FaultScene): Promise<void> {
  const { pids, executions } = await stopHalfway(scene);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ started: tasks, executed: tasks });
  expect(new Set(executions.map((execution) => execution?.pid))).toEqual(new Set(pids));
  const spent = executions.filter((execution) => execution?.attempt !== 0);
  expect(spent, "tasks that were handed back with less than they came with").toEqual([]);
  scene.report(verdict);
}

async function handBackUncounted(scene: FaultScene): Promise<void> {
  const { executions } = await stopHalfway(scene);
  const counted = executions.filter((execution) => (execution?.deliveryCount ?? 1) !== 1);
  expect(counted, "tasks whose delivery to the worker that stopped was counted").toEqual([]);
}

/** One worker stops in the midst of many tasks, another does the rest. */
async function stopHalfway(scene: FaultScene): Promise<Stop> {
  const first = await scene.startWorker({ concurrency: 5 });
  const producer = await scene.startProducer();
  const load = scene.produce(producer, { prefix: "task", count: tasks, inFlight: 50 });
  await scene.executions.reach(100, scene.patience);
  await scene.stopWorker(first);
  expect(scene.executions.count, "executions by the worker that stopped").toBeLessThan(tasks);
  const second = await scene.startWorker();
  const { outcomes } = await load.finished;
  await scene.stopWorker(second);
  const executions = outcomes.map((outcome) => (outcome.status === "succeeded" ? outcome.result : undefined));
  return { pids: [first.process.pid, second.process.pid], executions };
}
