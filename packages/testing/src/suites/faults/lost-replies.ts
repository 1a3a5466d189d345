import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import type { FaultOperation } from "./fault-needs.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";

export const lostRepliesTopic: FaultTopic = {
  name: "lost reply",
  needs: ["processes", "server", "cutNextReply", "at-least-once"],
  rules: [{ name: "on enqueue, take and settle doubles no task, and loses none", check: cutEach }],
};

const operations: readonly FaultOperation[] = ["publish", "take", "settle"];
const rounds = 3;
const perCut = 20;

/** One after the other, so that each cut meets the operation it is meant for, while tasks run. */
async function cutEach(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const producer = await scene.startProducer();
  for (let round = 0; round < rounds; round += 1) {
    for (const operation of operations) {
      const cut = scene.proxy.waitFor("cut", scene.patience);
      scene.subject.cutNextReply?.(scene.proxy, operation);
      const load = scene.produce(producer, { prefix: `${operation}-${round}`, count: perCut });
      await cut;
      await load.finished;
    }
  }
  const tasks = rounds * operations.length * perCut;
  await scene.expectDepth({ dead: 0 });
  await scene.stopWorker(worker);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ attempted: tasks, acknowledged: tasks, executed: tasks });
  scene.report(verdict, { cuts: rounds * operations.length });
}
