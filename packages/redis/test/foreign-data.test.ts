import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { redisList, redisResults, redisState } from "../src/index.ts";
import { listStorage } from "../src/list/storage.ts";
import { queueKeys } from "../src/queue/keys.ts";
import { OutcomeKeys } from "../src/results/outcome-keys.ts";
import { layoutOf } from "../src/state/layout.ts";
import { messageOf, opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();
const keys = new OutcomeKeys("taskferry");

describe("what other programs write", () => {
  test("rubbish on the channel of an outcome ends neither the wait nor the process", async () => {
    const results = await opened(redisResults({ url: redis.current().url }));
    const other = operator(redis.current().url);
    const id = randomUUID();
    const waiting = results.wait(id, { signal: AbortSignal.timeout(patience) });
    while ((await other.publish(keys.channelOf(id), "rubbish")) === 0);
    await results.store([outcomeOf(id)]);
    expect(await waiting).toEqual(outcomeOf(id));
  });

  test("rubbish in the place of an outcome does not stand", async () => {
    const results = await opened(redisResults({ url: redis.current().url }));
    const outcome = outcomeOf(randomUUID());
    await operator(redis.current().url).set(keys.keyOf(outcome.id), "rubbish");
    await expect(results.get([outcome.id])).rejects.toMatchObject({ code: "MESSAGE_MALFORMED" });
    expect(await results.store([outcome])).toEqual([outcome]);
    expect(await results.get([outcome.id])).toEqual([outcome]);
  });

  test("rubbish on the channel of the state ends neither the watch nor the process", async () => {
    const state = await opened(redisState({ url: redis.current().url }));
    const segment = randomUUID();
    const changes = state.watch([segment], AbortSignal.timeout(patience))[Symbol.asyncIterator]();
    await changes.next();
    await operator(redis.current().url).publish(layoutOf("taskferry", segment).channel, "rubbish");
    await state.put([{ key: [segment, "a"], value: new Uint8Array([1]) }]);
    expect((await changes.next()).value).toMatchObject({ type: "put", entry: { key: [segment, "a"] } });
  });

  test("a key of another type ends a take, instead of turning it hot", async () => {
    const broker = await opened(redisList({ url: redis.current().url }));
    const queue = randomUUID();
    await operator(redis.current().url).set(queueKeys(listStorage, "taskferry", queue).delayed, "rubbish");
    const consumer = await broker.consume(queue, { window: 10, lease: 10_000 });
    await expect(consumer.take(1, AbortSignal.timeout(patience))).rejects.toMatchObject({
      retryable: false,
      message: expect.stringContaining("WRONGTYPE"),
    });
  });

  test("a frame pushed into a list is a message, without dedupe", async () => {
    const broker = await opened(redisList({ url: redis.current().url }));
    const queue = randomUUID();
    const { encodeMessage } = await import("@taskferry/core");
    const frame = encodeMessage(messageOf("pushed", queue)) as Buffer;
    await operator(redis.current().url).rpush(queueKeys(listStorage, "taskferry", queue).own.ready_middle, frame);
    const consumer = await broker.consume(queue, { window: 10, lease: 10_000 });
    const [delivery] = await consumer.take(1, AbortSignal.timeout(patience));
    if (delivery === undefined) throw new Error("nothing was taken");
    expect(delivery.message?.id).toBe("pushed");
    expect(await consumer.settle([{ kind: "ack", delivery }])).toEqual(["settled"]);
    expect(await broker.admin?.depth(queue)).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
  });

  test("no bytes at all stay with the worker that took them, whatever else it asks meanwhile", async () => {
    const broker = await opened(redisList({ url: redis.current().url }));
    const queue = randomUUID();
    await operator(redis.current().url).rpush(queueKeys(listStorage, "taskferry", queue).own.ready_middle, "");
    const consumer = await broker.consume(queue, { window: 10, lease: 10_000 });
    const [delivery] = await consumer.take(1, AbortSignal.timeout(patience));
    if (delivery === undefined) throw new Error("nothing was taken");
    await broker.publish([{ message: messageOf("next", queue) }], { timeout: patience });
    expect(await consumer.take(1, AbortSignal.timeout(patience))).toHaveLength(1);
    expect(await consumer.extend([delivery])).toEqual([]);
    const reason = { code: "MESSAGE_MALFORMED", message: "no bytes", at: 1 } as const;
    expect(await consumer.settle([{ kind: "reject", delivery, reason }])).toEqual(["settled"]);
    expect((await broker.admin?.read(queue, "dead", ""))?.bytes).toEqual(Buffer.alloc(0));
  });
});
