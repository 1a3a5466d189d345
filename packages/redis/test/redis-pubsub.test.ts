import { randomUUID } from "node:crypto";
import type { BrokerEvent, Consumer } from "@taskferry/core";
import { createFaultProxy } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import { redisList, redisPubSub, redisStream } from "../src/index.ts";
import { messageOf, opened, operator, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

async function proxied() {
  const proxy = await createFaultProxy(redis.current());
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function idsOf(consumer: Consumer, count: number): Promise<readonly (string | undefined)[]> {
  const taken = await consumer.take(count, AbortSignal.timeout(patience));
  return taken.map(({ message }) => message?.id);
}

test("every consumer hears a message, also two of one broker, and one that stops hears no more", async () => {
  const [publisher, worker] = [redisPubSub, redisPubSub].map((create) => create({ url: redis.current().url }));
  if (publisher === undefined || worker === undefined) throw new Error("two brokers were expected");
  await Promise.all([opened(publisher), opened(worker)]);
  const queue = randomUUID();
  const [first, second] = [
    await worker.consume(queue, { window: 10, lease: 1_000 }),
    await worker.consume(queue, { window: 10, lease: 1_000 }),
  ];
  const send = (id: string) => publisher.publish([{ message: messageOf(id, queue) }], { timeout: patience });
  expect(await send("a")).toEqual([{ status: "accepted" }]);
  expect([await idsOf(first, 1), await idsOf(second, 1)]).toEqual([["a"], ["a"]]);
  await first.stop();
  expect(await send("b")).toEqual([{ status: "accepted" }]);
  expect([await first.take(1, AbortSignal.timeout(50)), await idsOf(second, 1)]).toEqual([[], ["b"]]);
  await second.close();
  expect(await send("c")).toMatchObject([{ status: "refused", error: { code: "NO_RECEIVERS" } }]);
});

test("drops the oldest when a consumer is too slow, and says how many", async () => {
  const broker = await opened(redisPubSub({ url: redis.current().url, buffer: 10 }));
  const queue = randomUUID();
  const gap = new Promise<BrokerEvent>((resolve) => broker.on((event) => event.type === "gap" && resolve(event)));
  const consumer = await broker.consume(queue, { window: 100, lease: 1_000 });
  const outgoing = Array.from({ length: 25 }, (_, index) => ({ message: messageOf(`m${index}`, queue) }));
  await broker.publish(outgoing, { timeout: patience });
  expect(await gap).toMatchObject({ reason: expect.stringContaining(`15 messages of the queue "${queue}"`) });
  expect(await idsOf(consumer, 100)).toEqual(outgoing.slice(15).map(({ message }) => message.id));
});

test("a message whose publisher got no reply is unknown, and heard once when it is published again", async () => {
  const proxy = await proxied();
  const publisher = await opened(redisPubSub({ url: proxy.url, commandTimeout: "500ms" }));
  const worker = await opened(redisPubSub({ url: redis.current().url }));
  const queue = randomUUID();
  const consumer = await worker.consume(queue, { window: 10, lease: 1_000 });
  const send = (id: string) => publisher.publish([{ message: messageOf(id, queue) }], { timeout: patience });
  await send("first");
  proxy.dropNextReply();
  expect(await send("again")).toMatchObject([{ status: "unknown", error: { code: "BROKER_UNAVAILABLE" } }]);
  expect(await send("again")).toEqual([{ status: "accepted" }]);
  await send("last");
  const heard: (string | undefined)[] = [];
  while (heard.at(-1) !== "last") heard.push(...(await idsOf(consumer, 10)));
  expect(heard).toEqual(["first", "again", "last"]);
});

test("listens again after its connection was cut, and tells of the gap", async () => {
  const broker = await opened(redisPubSub({ url: redis.current().url, commandTimeout: "1s" }));
  const queue = randomUUID();
  const consumer = await broker.consume(queue, { window: 10, lease: 1_000 });
  const gap = new Promise((resolve) => broker.on((event) => event.type === "gap" && resolve(event)));
  await operator(redis.current().url).call("CLIENT", "KILL", "TYPE", "pubsub");
  await gap;
  await broker.publish([{ message: messageOf("after", queue) }], { timeout: patience });
  expect(await idsOf(consumer, 1)).toEqual(["after"]);
});

test("a connection that falls silent is found out and replaced within 30 seconds", { timeout: 60_000 }, async () => {
  const proxy = await proxied();
  const broker = await opened(redisPubSub({ url: proxy.url, commandTimeout: "1s" }));
  const queue = randomUUID();
  await broker.consume(queue, { window: 10, lease: 1_000 });
  const gap = new Promise((resolve) => broker.on((event) => event.type === "gap" && resolve(true)));
  proxy.abandon();
  expect(await Promise.race([gap, new Promise((resolve) => setTimeout(resolve, 30_000, false).unref())])).toBe(true);
});

test("it is the broadcast companion of both queue brokers, in their namespace", async () => {
  for (const create of [redisList, redisStream]) {
    const broker = await opened(create({ url: redis.current().url, namespace: randomUUID() }));
    const offer = broker.companions?.broadcast;
    if (offer === undefined) throw new Error("a companion was expected");
    const [publisher, worker] = [await opened(offer()), await opened(offer())];
    expect(publisher.capabilities).toMatchObject({ receivers: "every", delivery: "at-most-once" });
    const consumer = await worker.consume("q", { window: 10, lease: 1_000 });
    await publisher.publish([{ message: messageOf("a", "q") }], { timeout: patience });
    expect(await idsOf(consumer, 1)).toEqual(["a"]);
  }
});
