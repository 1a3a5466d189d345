import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectSameMessage, messageOf, rejection } from "./messages.ts";

export const deadLettersTopic: BrokerTopic = {
  name: "dead letters",
  needs: ["at-least-once", "deadLetters", "dead-inspection"],
  rules: [
    { name: "reject keeps the message with its reason, once", check: keepsReason },
    { name: "a rejected message is not delivered again", check: notAgain },
    { name: "newest first, over pages", check: newestFirst },
    { name: "a higher run of a rejected message is another message", check: replay },
    { name: "read gives the newest entry of a task's id", check: newestOfId },
    { name: "remove and purge say how many there were", check: removed },
  ],
};

async function keepsReason(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const message = scene.message({
    headers: { note: "é" },
    body: Buffer.from([0, 10, 200, 255]),
    attempt: 4,
    priority: 7,
  });
  await scene.publish(message);
  const reason = rejection("MESSAGE_TOO_LARGE");
  await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason });
  await scene.expectDepth({ dead: 1 });
  const { entries, cursor } = await scene.admin.list(scene.queue, { section: "dead", limit: 10 });
  expect(cursor).toBeUndefined();
  expect(entries.map((entry) => entry.reason)).toEqual([reason]);
  for (const entry of entries) {
    if (entry.message === undefined) throw new Error("Expected the entry to carry its message.");
    expectSameMessage(entry.message, message);
    const read = await scene.admin.read(scene.queue, "dead", entry.key);
    expect(read?.reason).toEqual(reason);
    expect(Buffer.from(read?.bytes ?? [])).toEqual(Buffer.from(entry.bytes));
  }
}

async function notAgain(scene: BrokerScene): Promise<void> {
  const lease = 2 * scene.timing.lease;
  const consumer = await scene.consumer({ lease });
  await scene.publish(scene.message());
  await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason: rejection() });
  await scene.expectNothing(consumer, "a rejected message", 2 * lease);
  await scene.expectDepth({ dead: 1 });
}

async function newestFirst(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1 });
  const ids: string[] = [];
  for (const [index, message] of scene.messages(7).entries()) {
    await scene.publish(message);
    const reason = { ...rejection(), at: 1_700_000_000_000 + index };
    await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason });
    ids.unshift(message.id);
  }
  const seen: (string | undefined)[] = [];
  let cursor: string | undefined;
  do {
    const page = await scene.admin.list(scene.queue, {
      section: "dead",
      limit: 3,
      ...(cursor !== undefined && { cursor }),
    });
    expect(page.entries.length).toBeLessThanOrEqual(3);
    seen.push(...page.entries.map((entry) => entry.message?.id));
    cursor = page.cursor;
  } while (cursor !== undefined && seen.length <= ids.length);
  expect(seen).toEqual(ids);
}

async function replay(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const message = scene.message();
  await scene.publish(message);
  await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason: rejection() });
  const replayed = { ...message, run: 1 };
  await scene.publish(replayed);
  const [entry] = (await scene.admin.list(scene.queue, { section: "dead", limit: 1 })).entries;
  expect(await scene.admin.remove(scene.queue, "dead", [entry?.key ?? ""])).toBe(1);
  const delivery = await scene.takeOne(consumer);
  expectSameMessage(messageOf(delivery), replayed);
  await scene.settle(consumer, { kind: "reject", delivery, reason: rejection() });
  await scene.expectDepth({ dead: 1 });
}

async function newestOfId(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1 });
  const message = scene.message();
  for (const run of [0, 1, 2]) {
    await scene.publish({ ...message, run });
    const reason = { ...rejection(), message: `run ${run}`, at: 1_700_000_000_000 + run };
    await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason });
  }
  const read = await scene.admin.read(scene.queue, "dead", message.id);
  expect(read?.reason?.message).toBe("run 2");
  expect(read?.message?.run).toBe(2);
  expect(await scene.admin.read(scene.queue, "dead", "unknown-id")).toBeUndefined();
  await scene.expectDepth({ dead: 3 });
}

async function removed(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(...scene.messages(5));
  for (const delivery of await scene.take(consumer, 5)) {
    await scene.settle(consumer, { kind: "reject", delivery, reason: rejection() });
  }
  const { entries } = await scene.admin.list(scene.queue, { section: "dead", limit: 2 });
  const keys = entries.map(({ key }) => key);
  expect(await scene.admin.remove(scene.queue, "dead", [...keys, "unknown-key"])).toBe(2);
  expect(await scene.admin.remove(scene.queue, "dead", keys)).toBe(0);
  await scene.expectDepth({ dead: 3 });
  expect(await scene.admin.purge(scene.queue, "dead")).toBe(3);
  expect(await scene.admin.purge(scene.queue, "dead")).toBe(0);
  await scene.expectDepth({});
}
