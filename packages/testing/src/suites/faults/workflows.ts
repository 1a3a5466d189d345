import { expect } from "vitest";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { randomWorkflow } from "./random-workflow.ts";

export const workflowsTopic: FaultTopic = {
  name: "workflow",
  needs: ["processes", "state", "at-least-once", "redelivery", "delay"],
  rules: [
    {
      name: "trees of chains, groups and chords end as their model says, while workers are killed",
      check: randomTrees,
    },
  ],
};

const depth = 3;

async function randomTrees(scene: FaultScene): Promise<void> {
  const { trees, kills } = scene.scale.workflows;
  const client = await scene.client();
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const all = Array.from({ length: trees }, (_, seed) => ({ seed, ...randomWorkflow(seed, depth) }));
  const tasks = all.reduce((total, tree) => total + tree.tasks, 0);
  const results = Promise.all(
    all.map(async ({ seed, flow, model }) => {
      const handle = await client.enqueue(flow, seed, { id: `tree-${seed}` });
      const outcome = await handle.outcome({ timeout: scene.scale.patience });
      return { seed, expected: model(seed), outcome };
    }),
  );
  results.catch(() => undefined);
  for (let kill = 0; kill < kills; kill += 1) {
    await Promise.race([scene.executions.reach((tasks * (kill + 1)) / (kills + 2), scene.patience), results]);
    await workers[kill % 2]?.process.kill();
    workers[kill % 2] = await scene.startWorker();
  }
  for (const { seed, expected, outcome } of await results) {
    const found = outcome.status === "succeeded" ? outcome.result : undefined;
    expect(found, `what tree ${seed} came to, whose outcome is ${JSON.stringify(outcome)}`).toBe(expected);
  }
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
}
