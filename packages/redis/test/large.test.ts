import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { redisResults, redisState } from "../src/index.ts";
import { messageOf, opened, outcomeOf, patience, queueBrokers } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

test.each(queueBrokers)(
  "%s: 200 messages of 1 MB go out at once, in calls that the server answers in time",
  async (_, create) => {
    const broker = await opened(create({ url: redis.current().url, commandTimeout: "2s" }));
    const queue = randomUUID();
    const body = new Uint8Array(1_000_000);
    const outgoing = Array.from({ length: 200 }, (_, index) => ({ message: messageOf(`m${index}`, queue, { body }) }));
    const results = await broker.publish(outgoing, { timeout: 4 * patience });
    expect(results).toEqual(outgoing.map(() => ({ status: "accepted" })));
    expect(await broker.admin?.purge(queue, "ready")).toBe(200);
  },
);

test("100 outcomes of 1 MB are stored at once", async () => {
  const results = await opened(redisResults({ url: redis.current().url, commandTimeout: "2s" }));
  const result = { contentType: "application/octet-stream", body: Buffer.alloc(1_000_000) };
  const { code: _, reason: __, ...ended } = outcomeOf("o");
  const outcomes = Array.from({ length: 100 }, (_, index) => ({
    ...ended,
    id: `o${index}`,
    status: "succeeded" as const,
    result,
  }));
  expect(await results.store(outcomes)).toEqual(outcomes);
  expect(await results.delete(outcomes.map(({ id }) => id))).toBe(100);
});

test("20,000 members are added to a set and removed from it", async () => {
  const state = await opened(redisState({ url: redis.current().url }));
  const members = Array.from({ length: 20_000 }, (_, index) => `m${index}`);
  expect((await state.add(["s", "x"], members, { ttl: 60_000 })).size).toBe(20_000);
  expect(await state.remove(["s", "x"], members)).toEqual({ removed: 20_000, size: 0 });
});
