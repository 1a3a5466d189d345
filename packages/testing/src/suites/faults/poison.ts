import type { Client } from "@taskferry/core";
import { expect } from "vitest";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { crash, work } from "./programs/tasks.ts";

export const poisonTopic: FaultTopic = {
  name: "poison",
  needs: ["processes", "at-least-once", "redelivery", "deliveryCount", "deadLetters", "dead-inspection"],
  rules: [
    {
      name: "a task that kills its worker each time ends in the dead letters, and takes no other with it",
      check: killer,
    },
  ],
};

const maxDeliveries = 3;
const innocents = 30;

async function killer(scene: FaultScene): Promise<void> {
  const client = await scene.client();
  const { queue } = scene;
  const before = await enqueueInnocents(client, "before", queue);
  const poison = await client.enqueue(crash, undefined, { id: "poison", queue });
  const after = await enqueueInnocents(client, "after", queue);
  const outcomes = Promise.all([...before, ...after].map((id) => client.handle(work, id, { queue }).outcome()));
  const buried = poison.outcome();
  const crashes = await respawnUntil(scene, Promise.all([buried, outcomes]));

  expect(await buried).toMatchObject({ status: "failed", error: { code: "TOO_MANY_DELIVERIES" } });
  const others = (await outcomes).filter(({ status }) => status !== "succeeded");
  expect(others, "tasks beside the one that kills").toEqual([]);
  await scene.expectDepth({ dead: 1 });
  const { entries } = await client.deadLetters.list(queue);
  expect(entries).toMatchObject([{ message: { id: "poison" }, reason: { code: "TOO_MANY_DELIVERIES" } }]);
  expect(crashes, "workers that were killed").toBe(maxDeliveries);
}

/** Long enough to be under way still when a neighbour kills them. */
async function enqueueInnocents(client: Client, prefix: string, queue: string): Promise<readonly string[]> {
  const inputs = Array.from({ length: innocents / 2 }, () => 100);
  await client.enqueueMany(work, inputs, { id: (_, index) => `${prefix}-${index}`, queue });
  return inputs.map((_, index) => `${prefix}-${index}`);
}

/** Has a new worker in the place of each one that ended, as an operating system would. Answers how many ended. */
async function respawnUntil(scene: FaultScene, done: Promise<unknown>): Promise<number> {
  const isDone = done.then(() => true as const);
  for (let ended = 0; ; ended += 1) {
    const { process } = await scene.startWorker({ concurrency: 10, lease: 1_000, maxDeliveries });
    if ((await Promise.race([isDone, process.exited])) === true) return ended;
  }
}
