import { randomUUID } from "node:crypto";
import type { Broker, Consumer } from "@taskferry/core";
import { beforeEach, describe, expect, test } from "vitest";
import { messageOf, opened, operator, patience, queueBrokers } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();
const lease = 60_000;

/** A take that waits for the marker waits at the server, and may still be there when nobody hears it any more. */
describe.each(queueBrokers)("%s: a take that was given up while it waited", (_, create) => {
  let broker: Broker;
  let queue: string;
  const publish = () => broker.publish([{ message: messageOf(randomUUID(), queue) }], { timeout: patience });
  const open = (): Promise<Consumer> => broker.consume(queue, { window: 10, lease });
  /** So many are blocked on the marker. */
  async function blocked(count: number): Promise<void> {
    const client = operator(redis.current().url);
    const read = async () => /blocked_clients:(\d+)/.exec(await client.info("clients"))?.[1];
    await expect.poll(read, { interval: 5, timeout: patience }).toBe(String(count));
  }

  beforeEach(async () => {
    broker = await opened(create({ url: redis.current().url }));
    queue = `queue-${randomUUID()}`;
    await blocked(0);
  });

  test("by a stop gets nothing: another consumer does, at once", async () => {
    const [stopped, rival] = [await open(), await open()];
    const waiting = stopped.take(1, new AbortController().signal);
    await blocked(1);
    await stopped.stop();
    expect(await waiting).toEqual([]);
    const taking = rival.take(1, AbortSignal.timeout(patience));
    await blocked(2);
    await publish();
    expect(await taking).toMatchObject([{ deliveryCount: 1 }]);
  });

  test("by an abort leaves all to the next one", async () => {
    const consumer = await open();
    const abort = new AbortController();
    const waiting = consumer.take(1, abort.signal);
    await blocked(1);
    abort.abort();
    expect(await waiting).toEqual([]);
    const taking = consumer.take(1, AbortSignal.timeout(patience));
    await publish();
    expect(await taking).toMatchObject([{ deliveryCount: 1 }]);
  });
});
