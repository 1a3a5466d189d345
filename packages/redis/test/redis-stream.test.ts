import { randomUUID } from "node:crypto";
import { encodeMessage } from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { redisStream, schemes } from "../src/index.ts";
import { queueKeys } from "../src/queue/keys.ts";
import { callScript, defineScripts } from "../src/script.ts";
import { enrol, streamStorage } from "../src/stream/storage.ts";
import { messageOf, opened, operator, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();
const group = "taskferry";

async function scene() {
  const broker = await opened(redisStream({ url: redis.current().url }));
  const queue = randomUUID();
  const keys = queueKeys(streamStorage, "taskferry", queue);
  const publish = (...ids: string[]) =>
    broker.publish(
      ids.map((id) => ({ message: messageOf(id, queue) })),
      { timeout: patience },
    );
  const consume = () => broker.consume(queue, { window: 100, lease: 30_000 });
  const consumers = async (): Promise<Readonly<Record<string, number>>> => {
    const found = (await other.xinfo("CONSUMERS", keys.own.stream_middle, group)) as (string | number)[][];
    return Object.fromEntries(found.map((facts) => [facts[1], Number(facts[3])]));
  };
  const other = operator(redis.current().url);
  return { broker, queue, keys, stream: keys.own.stream_middle, publish, consume, consumers, other };
}

describe("the stream", () => {
  test("holds what waits and what is held, and nothing else, and its group says who holds it", async () => {
    const { publish, consume, consumers, other, stream, keys } = await scene();
    await publish("a", "b", "c");
    expect(await other.xlen(stream)).toBe(3);
    const consumer = await consume();
    const [delivery] = await consumer.take(2, AbortSignal.timeout(patience));
    if (delivery === undefined) throw new Error("nothing was taken");
    expect(Object.values(await consumers())).toEqual([2]);
    await consumer.settle([{ kind: "ack", delivery }]);
    expect(await other.xlen(stream)).toBe(2);
    expect(Object.values(await consumers())).toEqual([1]);
    expect(await other.hkeys(keys.own.entry)).toHaveLength(2);
  });

  test("delivers what was there before the first worker came, and entries of other programs", async () => {
    const { other, stream, publish, consume, queue, broker } = await scene();
    await other.xadd(stream, "*", "m", encodeMessage(messageOf("foreign", queue)) as Buffer);
    await other.xadd(stream, "*", "name", "value", "k", "a:0:0");
    await publish("own");
    const consumer = await consume();
    const taken = await consumer.take(10, AbortSignal.timeout(patience));
    expect(taken.map(({ message }) => message?.id)).toEqual(["foreign", undefined, "own"]);
    expect(Buffer.from(taken[1]?.malformed?.bytes ?? []).toString()).toBe("name\nvalue\nk\na:0:0");
    expect(await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery })))).toEqual(
      taken.map(() => "settled"),
    );
    expect(await broker.admin?.depth(queue)).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
  });

  test("an entry with the key of another message is another message", async () => {
    const { other, stream, publish, consume, queue, broker } = await scene();
    await publish("a");
    const frame = encodeMessage(messageOf("copy", queue)) as Buffer;
    await other.xadd(stream, "*", "a:0:0", frame);
    const consumer = await consume();
    const taken = await consumer.take(10, AbortSignal.timeout(patience));
    expect(taken.map(({ message }) => message?.id)).toEqual(["a", "copy"]);
    const reason = { code: "TASK_FAILED", message: "x", at: 1 } as const;
    const [first, second] = taken;
    if (first === undefined || second === undefined) throw new Error("two deliveries were expected");
    expect(await consumer.settle([{ kind: "reject", delivery: second, reason }])).toEqual(["settled"]);
    expect(await consumer.settle([{ kind: "ack", delivery: first }])).toEqual(["settled"]);
    expect(await other.xlen(stream)).toBe(0);
    expect((await broker.admin?.list(queue, { section: "dead", limit: 10 }))?.entries).toHaveLength(1);
  });

  test("an entry of another program is held by one worker, and comes again when a lease has ended", async () => {
    const { other, stream, consume, broker, queue, keys } = await scene();
    await other.xadd(stream, "*", "m", encodeMessage(messageOf("foreign", queue)) as Buffer);
    const first = await broker.consume(queue, { window: 100, lease: 100 });
    const [held] = await first.take(1, AbortSignal.timeout(patience));
    const heir = await consume();
    const [again] = await heir.take(1, AbortSignal.timeout(patience));
    expect([held?.message?.id, again?.message?.id, again?.deliveryCount]).toEqual(["foreign", "foreign", 2]);
    if (held === undefined || again === undefined) throw new Error("two deliveries were expected");
    expect(await first.settle([{ kind: "ack", delivery: held }])).toEqual(["lost"]);
    expect(await heir.settle([{ kind: "release", delivery: again }])).toEqual(["settled"]);
    // Of what waits, and is no message of ours, nothing is written down.
    expect(await other.hkeys(keys.own.entry)).toEqual([]);
    const [last] = await heir.take(1, AbortSignal.timeout(patience));
    if (last === undefined) throw new Error("a delivery was expected");
    expect(await heir.settle([{ kind: "ack", delivery: last }])).toEqual(["settled"]);
    expect(await other.xlen(stream)).toBe(0);
  });

  test("is made anew with its group when an operator has emptied the server", async () => {
    const { publish, consume, other, keys } = await scene();
    const consumer = await consume();
    await other.del(...keys.all);
    await publish("a");
    const [delivery] = await consumer.take(1, AbortSignal.timeout(patience));
    expect(delivery?.message?.id).toBe("a");
  });

  test("what an operator deletes while it waits or is held is gone, and holds up nobody", async () => {
    const { publish, consume, other, stream, broker, queue } = await scene();
    await publish("a", "b", "c");
    const consumer = await broker.consume(queue, { window: 100, lease: 100 });
    const [held] = await consumer.take(1, AbortSignal.timeout(patience));
    const ids = (await other.xrange(stream, "-", "+")).map(([id]) => id);
    await other.xdel(stream, ...ids.slice(0, 2));
    const heir = await consume();
    const [delivery] = await heir.take(10, AbortSignal.timeout(patience));
    expect([held?.message?.id, delivery?.message?.id]).toEqual(["a", "c"]);
    expect(await heir.take(1, AbortSignal.timeout(300))).toEqual([]);
    if (delivery !== undefined) expect(await heir.settle([{ kind: "ack", delivery }])).toEqual(["settled"]);
    expect(await broker.admin?.depth(queue)).toMatchObject({ ready: 0, running: 0 });
  });
});

describe("consumers of the group", () => {
  test("say where they are, and go when they are closed", async () => {
    const { publish, consume, consumers } = await scene();
    const [first, second] = [await consume(), await consume()];
    await publish("a", "b");
    for (const consumer of [first, second]) await consumer.take(1, AbortSignal.timeout(patience));
    const names = Object.keys(await consumers());
    expect(names).toHaveLength(2);
    for (const name of names) expect(name).toContain(`-${process.pid}-`);
    await first.close();
    await second.close();
    expect(await consumers()).toEqual({ "handed-back": 2 });
  });

  test("what is handed back is nobody's, and comes first again", async () => {
    const { publish, consume, consumers } = await scene();
    await publish("a", "b", "c");
    const consumer = await consume();
    const taken = await consumer.take(2, AbortSignal.timeout(patience));
    await consumer.settle(taken.toReversed().map((delivery) => ({ kind: "release", delivery })));
    expect(Object.values(await consumers()).toSorted()).toEqual([0, 2]);
    expect(await consumers()).toMatchObject({ "handed-back": 2 });
    const again = await consumer.take(3, AbortSignal.timeout(patience));
    expect(again.map(({ message, deliveryCount }) => [message?.id, deliveryCount])).toEqual([
      ["a", 1],
      ["b", 1],
      ["c", 1],
    ]);
  });

  test("that crashed are forgotten once they hold nothing and were idle for long", async () => {
    const { publish, consume, consumers, other, stream, keys } = await scene();
    await consume();
    for (const name of ["idle", "holding"]) await other.xgroup("CREATECONSUMER", stream, group, name);
    await publish("a");
    await other.xreadgroup("GROUP", group, "holding", "COUNT", 1, "STREAMS", stream, ">");
    await consume();
    expect(Object.keys(await consumers())).toEqual(expect.arrayContaining(["idle", "holding"]));
    defineScripts(other, [enrol]);
    await callScript(other, enrol, { keys: keys.of(enrol), args: ["newcomer", 0] });
    expect(Object.keys(await consumers())).toEqual(["holding"]);
  });
});

test("lists and streams of one name keep apart in one namespace", async () => {
  const { publish, broker, queue } = await scene();
  const list = await opened(schemes.brokers?.["redis:"]?.(redis.current().url) ?? broker);
  await publish("a");
  expect(await list.admin?.depth(queue)).toMatchObject({ ready: 0 });
  expect(await list.admin?.queues()).not.toContain(queue);
  expect(await broker.admin?.queues()).toContain(queue);
});

test.each([
  ["redis+stream:", "redis-stream"],
  ["redis+pubsub:", "redis-pubsub"],
])("%s names its broker, with options in the query", async (scheme, name) => {
  const url = redis.current().url.replace("redis:", scheme);
  const broker = await opened(schemes.brokers?.[scheme]?.(`${url}?namespace=blue&commandTimeout=2s`) ?? redisStream());
  expect(broker.name).toBe(name);
});
