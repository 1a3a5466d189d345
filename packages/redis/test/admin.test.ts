import { randomUUID } from "node:crypto";
import type { BrokerAdmin, QueueSection } from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { type redisList, redisStream } from "../src/index.ts";
import { messageOf, opened, operator, patience, queueBrokers } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

async function openWith(create: typeof redisList, namespace = "taskferry") {
  const broker = await opened(create({ url: redis.current().url, namespace }));
  const { admin } = broker;
  if (admin === undefined) throw new Error("an admin was expected");
  return { broker, admin };
}

/** Reads a section page by page, and does something after each. */
async function pages(
  admin: BrokerAdmin,
  place: { readonly queue: string; readonly section: QueueSection },
  between: (keys: readonly string[]) => Promise<unknown>,
): Promise<readonly string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await admin.list(place.queue, {
      section: place.section,
      limit: 10,
      ...(cursor !== undefined && { cursor }),
    });
    const keys = page.entries.map(({ key }) => key);
    seen.push(...keys);
    await between(keys);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return seen;
}

describe.each(queueBrokers)("%s", (_name, create) => {
  const open = (namespace?: string) => openWith(create, namespace);

  test.each(["ready", "delayed", "dead"] as const)(
    "pages of %s skip nothing when what was read is removed",
    async (section) => {
      const { broker, admin } = await open();
      const queue = randomUUID();
      const delay = section === "delayed" ? 60_000 : 0;
      await broker.publish(
        Array.from({ length: 35 }, (_, index) => ({ message: messageOf(`m${index}`, queue), delay })),
        { timeout: patience },
      );
      if (section === "dead") {
        const consumer = await broker.consume(queue, { window: 100, lease: 30_000 });
        const deliveries = await consumer.take(35, AbortSignal.timeout(patience));
        const reason = { code: "TASK_FAILED", message: "x", at: 1 } as const;
        await consumer.settle(deliveries.map((delivery) => ({ kind: "reject", delivery, reason })));
      }
      const seen = await pages(admin, { queue, section }, (keys) => admin.remove(queue, section, keys));
      expect(new Set(seen).size).toBe(35);
      expect(await admin.depth(queue)).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
    },
  );

  test("pages of dead letters tell none twice when newer ones come in", async () => {
    const { broker, admin } = await open();
    const queue = randomUUID();
    const consumer = await broker.consume(queue, { window: 100, lease: 30_000 });
    let at = 1;
    const reject = async (...ids: string[]) => {
      await broker.publish(
        ids.map((id) => ({ message: messageOf(id, queue) })),
        { timeout: patience },
      );
      const deliveries = await consumer.take(ids.length, AbortSignal.timeout(patience));
      at += 1;
      const reason = { code: "TASK_FAILED", message: "x", at } as const;
      await consumer.settle(deliveries.map((delivery) => ({ kind: "reject", delivery, reason })));
    };
    for (let index = 0; index < 25; index += 1) await reject(`m${index}`);
    const seen = await pages(admin, { queue, section: "dead" }, () => reject(randomUUID(), randomUUID()));
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `m${24 - index}:0:0`));
  });

  test("pages of what is ready go on while a worker takes from its head", async () => {
    const { broker, admin } = await open();
    const queue = randomUUID();
    await broker.publish(
      Array.from({ length: 40 }, (_, index) => ({ message: messageOf(`m${index}`, queue) })),
      { timeout: patience },
    );
    const consumer = await broker.consume(queue, { window: 100, lease: 30_000 });
    const seen = await pages(admin, { queue, section: "ready" }, () => consumer.take(5, AbortSignal.timeout(patience)));
    expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => `m${index}:0:0`));
  });

  test("what was removed or purged is recognised when it is published again", async () => {
    const { broker, admin } = await open();
    const queue = randomUUID();
    const outgoing = [
      { message: messageOf("removed", queue) },
      { message: messageOf("purged", queue) },
      { message: messageOf("later", queue), delay: 60_000 },
    ];
    await broker.publish(outgoing, { timeout: patience });
    expect(await admin.remove(queue, "ready", ["removed:0:0"])).toBe(1);
    expect(await admin.purge(queue, "ready")).toBe(1);
    expect(await admin.purge(queue, "delayed")).toBe(1);
    expect(await broker.publish(outgoing, { timeout: patience })).toEqual(
      outgoing.map(() => ({ status: "duplicate" })),
    );
  });

  test("a queue that is done with keeps its tombstones, and nothing else for ever", async () => {
    const namespace = randomUUID();
    const { broker } = await open(namespace);
    await broker.publish([{ message: messageOf("a", "q", { priority: 9 }) }], { timeout: patience });
    const consumer = await broker.consume("q", { window: 100, lease: 30_000 });
    const [delivery] = await consumer.take(30, AbortSignal.timeout(patience));
    if (delivery?.message === undefined) throw new Error("nothing was taken");
    await consumer.settle([{ kind: "retry", delivery, next: { ...delivery.message, hop: 1 }, delay: 0 }]);
    const [second] = await consumer.take(30, AbortSignal.timeout(patience));
    if (second === undefined) throw new Error("nothing was taken");
    await consumer.settle([{ kind: "ack", delivery: second }]);
    await consumer.close();
    const other = operator(redis.current().url);
    const keys = (await other.keys(`{${namespace}:*`)).sort();
    const lives = await Promise.all(keys.map((key) => other.pttl(key)));
    const forEver = keys.filter((_, index) => (lives[index] ?? 0) < 0).map((key) => key.slice(key.indexOf("}") + 2));
    const expected =
      create === redisStream
        ? ["0", "1", "2", "done", "done:since"].map((name) => `stream:${name}`)
        : ["done", "done:since"];
    expect(forEver.filter((name) => !name.endsWith("marker"))).toEqual(expected);
  });
});
