import type { Client, QueueEntry } from "@taskferry/core";
import { expect } from "vitest";
import { elapse } from "../patience.ts";
import { type BadMessage, badMessages, maxBodyBytes } from "./bad-messages.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { HeardWorker } from "./heard-worker.ts";
import { work } from "./programs/tasks.ts";

export const badInputTopic: FaultTopic = {
  name: "bad input",
  needs: ["insertRaw", "at-least-once", "deadLetters", "dead-inspection"],
  rules: [
    {
      name: "reaches the dead letters once, with its reason and its very bytes, while the worker lives and the neighbours finish",
      check: buriedOnce,
    },
  ],
};

const lease = 1_000;

async function buriedOnce(scene: FaultScene): Promise<void> {
  const { queue } = scene;
  const client = await scene.client();
  const bad = badMessages(queue);
  const worker = await HeardWorker.start(scene, { concurrency: 5, lease, maxBodyBytes });
  const neighbours: string[] = [];
  for (const { bytes } of bad) {
    const neighbour = await client.enqueue(work, 1, { queue });
    neighbours.push(neighbour.id);
    await scene.subject.insertRaw?.(scene.place, queue, bytes);
  }
  await worker.heard("task.rejected", bad.length, scene.patience);
  const outcomes = await Promise.all(neighbours.map((id) => client.handle(work, id, { queue }).outcome()));
  expect(outcomes.filter(({ status }) => status !== "succeeded")).toEqual([]);
  // Whatever would come back has come back after two leases.
  await elapse(2 * lease);
  await scene.expectDepth({ dead: bad.length });
  const last = await client.enqueue(work, 1, { queue });
  expect(await last.outcome()).toMatchObject({ status: "succeeded" });
  expectBuried(bad, (await client.deadLetters.list(queue)).entries);
  await expectTold(client, bad, queue);
  await worker.stop();
  expect(worker.count("task.rejected"), "bad messages, each settled once").toBe(bad.length);
  expect(worker.count("task.succeeded"), "neighbours").toBe(neighbours.length + 1);
  expectDeliveredOnce(worker);
  expect(Object.hasOwn(Object.prototype, "polluted"), "a polluted prototype").toBe(false);
}

function expectBuried(bad: readonly BadMessage[], entries: readonly QueueEntry[]): void {
  const found = entries.map(({ bytes, reason }) => ({ bytes: hex(bytes), code: reason?.code }));
  const expected = bad.map(({ bytes, code }) => ({ bytes: hex(bytes), code }));
  expect(found.toSorted(byBytes)).toEqual(expected.toSorted(byBytes));
  for (const { reason } of entries) expect(reason?.message.length, "characters of a reason").toBeGreaterThan(20);
}

/** Nobody waits for ever for a task whose id could be read. */
async function expectTold(client: Client, bad: readonly BadMessage[], queue: string): Promise<void> {
  for (const { id, code, what } of bad) {
    if (id === undefined) continue;
    const outcome = await client.handle(work, id, { queue }).outcome({ timeout: "10s" });
    expect(outcome, what).toMatchObject({ status: "failed", error: { code } });
  }
}

/** A message that comes again and again would be delivered again and again. */
function expectDeliveredOnce(worker: HeardWorker): void {
  const deliveries = new Map<string, number>();
  for (const event of worker.events) {
    if (event.type === "task.received") deliveries.set(event.id, (deliveries.get(event.id) ?? 0) + 1);
  }
  const again = [...deliveries].filter(([, count]) => count > 1);
  expect(again, "tasks that were delivered again, with how often").toEqual([]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function byBytes(one: { readonly bytes: string }, other: { readonly bytes: string }): number {
  return one.bytes < other.bytes ? -1 : 1;
}
