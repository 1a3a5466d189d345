import type { QueueEntry, QueueSection } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, expectSameMessage, idsOf, nextHop, rejection } from "./messages.ts";

export const adminTopic: BrokerTopic = {
  name: "admin",
  needs: ["at-least-once", "inspection"],
  rules: [
    { name: "queues lists those that hold something, sorted by name", check: listsQueues },
    { name: "an unknown queue is empty", check: unknownIsEmpty },
    { name: "depth counts each section truthfully, at every step", check: depthIsTruthful },
    { name: "list pages a section by cursor, oldest first, each entry once", check: listPages },
    { name: "list gives up to 1,000 entries, with the bytes and the message", check: listsThousand },
    { name: "entries say when a delayed one is due", needs: ["delay"], check: saysWhenDue },
    { name: "entries say when a running one's lease ends", needs: ["lease"], check: saysWhenLeaseEnds },
    { name: "read finds by key and by id, and only in its section", check: readFinds },
    { name: "looking changes nothing", check: lookingIsHarmless },
    { name: "remove takes away by key, says how many, and spares what a worker holds", check: removeSpares },
    { name: "purge takes away one section of one queue", check: purgesSection },
    { name: "purge takes away 9,000 at once", check: purgesMany },
  ],
};

async function listsQueues(scene: BrokerScene): Promise<void> {
  const queues = ["c", "a", "b"].map((letter) => `${scene.queue}.${letter}`);
  await scene.publish(...queues.map((queue) => scene.message({ queue })));
  const listed = await scene.admin.queues();
  expect(listed.filter((queue) => queue.startsWith(scene.queue))).toEqual(queues.toSorted());
  expect(listed).toEqual(listed.toSorted((a, b) => (a < b ? -1 : 1)));
  expect(new Set(listed).size).toBe(listed.length);
}

async function unknownIsEmpty(scene: BrokerScene): Promise<void> {
  await scene.expectDepth({});
  for (const section of ["ready", "delayed", "running", "dead"] as const) {
    expect(await scene.admin.list(scene.queue, { section, limit: 10 })).toEqual({ entries: [] });
    expect(await scene.admin.read(scene.queue, section, "unknown")).toBeUndefined();
    if (section === "running") continue;
    expect(await scene.admin.remove(scene.queue, section, ["unknown"])).toBe(0);
    expect(await scene.admin.purge(scene.queue, section)).toBe(0);
  }
}

async function depthIsTruthful(scene: BrokerScene): Promise<void> {
  const { capabilities } = scene;
  const consumer = await scene.consumer({ window: 4 });
  await scene.publish(...scene.messages(10, capabilities.priority === "refused" ? {} : { priority: 9 }));
  await scene.expectDepth({ ready: 10 });
  const [first, second, third, fourth] = await scene.take(consumer, 4);
  if (!first || !second || !third || !fourth) throw new Error("Expected four deliveries.");
  await consumer.stop();
  await scene.expectDepth({ ready: 6, running: 4 });
  await scene.ack(consumer, first);
  await scene.expectDepth({ ready: 6, running: 3 });
  if (capabilities.deadLetters !== "refused") {
    await scene.settle(consumer, { kind: "reject", delivery: second, reason: rejection() });
    await scene.expectDepth({ ready: 6, running: 2, dead: 1 });
    await scene.admin.purge(scene.queue, "dead");
  } else {
    await scene.ack(consumer, second);
  }
  if (capabilities.redelivery === "refused") return;
  await scene.settle(consumer, { kind: "release", delivery: third });
  await scene.expectDepth({ ready: 7, running: 1 });
  if (capabilities.delay === "refused") return;
  await scene.settle(consumer, {
    kind: "retry",
    delivery: fourth,
    next: nextHop(fourth.message ?? scene.message()),
    delay: 60_000,
  });
  await scene.expectDepth({ ready: 7, delayed: 1 });
  await scene.publish({ message: scene.message(), delay: 60_000 });
  await scene.expectDepth({ ready: 7, delayed: 2 });
}

/** All entries of a section, page by page. */
async function listAll(scene: BrokerScene, section: QueueSection, limit: number): Promise<QueueEntry[]> {
  const entries: QueueEntry[] = [];
  const keys = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < 1_000; page += 1) {
    const answer = await scene.admin.list(scene.queue, { section, limit, ...(cursor !== undefined && { cursor }) });
    expect(answer.entries.length, "entries of one page").toBeLessThanOrEqual(limit);
    for (const entry of answer.entries) {
      expect(keys.has(entry.key), `the key ${entry.key} came before`).toBe(false);
      keys.add(entry.key);
      entries.push(entry);
    }
    cursor = answer.cursor;
    if (cursor === undefined) return entries;
  }
  throw new Error("Expected the cursor to lead to an end.");
}

async function listPages(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(25);
  for (const message of messages) await scene.publish(message);
  for (const limit of [1, 10, 25, 100]) {
    const entries = await listAll(scene, "ready", limit);
    expect(
      entries.map((entry) => entry.message?.id),
      `pages of ${limit}`,
    ).toEqual(messages.map(({ id }) => id));
  }
  if (scene.capabilities.delay === "refused") return;
  const delayed = [3, 1, 2].map((rank) => ({ message: scene.message(), delay: 60_000 * rank }));
  await scene.publish(...delayed);
  const ids = (await listAll(scene, "delayed", 2)).map((entry) => entry.message?.id);
  expect(ids.sort()).toEqual(delayed.map(({ message }) => message.id).sort());
}

async function listsThousand(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(1_200, { headers: { note: "é" }, body: Buffer.from([0, 10, 255]) });
  await scene.publish(...messages);
  const { entries, cursor } = await scene.admin.list(scene.queue, { section: "ready", limit: 1_000 });
  expect(entries.length).toBeGreaterThan(0);
  expect(cursor).toBeTypeOf("string");
  const all = await listAll(scene, "ready", 1_000);
  expect(all.length).toBe(1_200);
  const sent = new Map(messages.map((message) => [message.id, message]));
  for (const { message, bytes } of all) {
    const original = sent.get(message?.id ?? "");
    if (message === undefined || original === undefined) throw new Error("Expected each entry to carry its message.");
    expectSameMessage(message, original);
    expect(Buffer.from(bytes).includes(Buffer.from(original.body)), "the bytes carry the body").toBe(true);
    sent.delete(message.id);
  }
}

async function saysWhenDue(scene: BrokerScene): Promise<void> {
  const before = Date.now();
  await scene.publish({ message: scene.message(), delay: 60_000 });
  const [entry] = await listAll(scene, "delayed", 10);
  // The server's wall clock may be off by a little, the direction must be right.
  expect(entry?.dueAt).toBeGreaterThan(before + 60_000 - scene.timing.slack);
  expect(entry?.dueAt).toBeLessThan(Date.now() + 60_000 + scene.timing.slack);
}

async function saysWhenLeaseEnds(scene: BrokerScene): Promise<void> {
  const before = Date.now();
  const consumer = await scene.consumer({ window: 1, lease: 60_000 });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(consumer);
  const [entry] = await listAll(scene, "running", 10);
  expect(entry?.message?.id).toBe(delivery.message?.id);
  expect(entry?.dueAt).toBeGreaterThan(before + 60_000 - scene.timing.slack);
  expect(entry?.dueAt).toBeLessThan(Date.now() + 60_000 + scene.timing.slack);
}

async function readFinds(scene: BrokerScene): Promise<void> {
  const message = scene.message({ headers: { note: "é" } });
  await scene.publish(scene.message(), message, scene.message());
  const entries = await listAll(scene, "ready", 10);
  const key = entries.find((entry) => entry.message?.id === message.id)?.key ?? "";
  for (const name of [key, message.id]) {
    const entry = await scene.admin.read(scene.queue, "ready", name);
    if (entry?.message === undefined) throw new Error(`Expected to read an entry by ${name}.`);
    expect(entry.key).toBe(key);
    expectSameMessage(entry.message, message);
    for (const section of ["delayed", "running", "dead"] as const) {
      expect(await scene.admin.read(scene.queue, section, name), `read in ${section}`).toBeUndefined();
    }
  }
  await scene.publish(nextHop(message));
  expect((await scene.admin.read(scene.queue, "ready", message.id))?.message?.hop, "the newest of an id").toBe(1);
}

async function lookingIsHarmless(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(20);
  for (const message of messages) await scene.publish(message);
  for (let turn = 0; turn < 5; turn += 1) {
    for (const entry of await listAll(scene, "ready", 7)) await scene.admin.read(scene.queue, "ready", entry.key);
    await scene.expectDepth({ ready: 20 });
  }
  const taken = await scene.take(await scene.consumer(), 20);
  if (scene.capabilities.ordering !== "refused") expect(idsOf(taken)).toEqual(messages.map(({ id }) => id));
  for (const { deliveryCount = 1 } of taken) expect(deliveryCount).toBe(1);
}

async function removeSpares(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(5);
  await scene.publish(...messages);
  const entries = await listAll(scene, "ready", 10);
  const consumer = await scene.consumer({ window: 1 });
  const held = await scene.takeOne(consumer);
  const keyOf = (id: string | undefined) => entries.find((entry) => entry.message?.id === id)?.key ?? "";
  const heldKey = keyOf(held.message?.id);
  const gone = messages.filter(({ id }) => id !== held.message?.id).slice(0, 2);
  const keys = [heldKey, ...gone.map(({ id }) => keyOf(id)), "unknown-key"];
  expect(await scene.admin.remove(scene.queue, "ready", keys)).toBe(2);
  await scene.expectDepth({ ready: 2, running: 1 });
  await scene.ack(consumer, held);
  await consumer.close();
  const left = messages.filter((message) => message.id !== held.message?.id && !gone.includes(message));
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), left);
}

async function purgesSection(scene: BrokerScene): Promise<void> {
  const elsewhere = scene.message({ queue: scene.newQueue() });
  await scene.publish(...scene.messages(6), elsewhere);
  const consumer = await scene.consumer({ window: 2 });
  const held = await scene.take(consumer, 2);
  const delayed = scene.capabilities.delay === "refused" ? 0 : 1;
  if (delayed > 0) await scene.publish({ message: scene.message(), delay: 60_000 });
  expect(await scene.admin.purge(scene.queue, "ready")).toBe(4);
  await scene.expectDepth({ running: 2, delayed });
  expect(await scene.admin.purge(scene.queue, "delayed")).toBe(delayed);
  await scene.ack(consumer, ...held);
  await scene.expectDepth({});
  expectEachOnce(await scene.drain(await scene.consumer({ queue: elsewhere.queue })), [elsewhere]);
}

async function purgesMany(scene: BrokerScene): Promise<void> {
  for (let batch = 0; batch < 9; batch += 1) await scene.publish(...scene.messages(1_000));
  await scene.expectDepth({ ready: 9_000 });
  expect(await scene.admin.purge(scene.queue, "ready")).toBe(9_000);
  await scene.expectDepth({});
  await scene.expectEmpty("messages that were purged");
}
