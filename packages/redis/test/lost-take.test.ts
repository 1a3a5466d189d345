import { randomUUID } from "node:crypto";
import { setTimeout as elapse } from "node:timers/promises";
import { type Broker, type Consumer, type Message, monotonicNow } from "@taskferry/core";
import { createFaultProxy, type FaultProxy } from "@taskferry/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { queueBrokers } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();
const lease = 1_500;
const forever = new AbortController().signal;

describe.each(queueBrokers)("%s: a take whose reply is lost", (_, create) => {
  let proxy: FaultProxy;
  let unlucky: Broker;
  let other: Broker;
  let queue: string;

  beforeEach(async () => {
    proxy = await createFaultProxy(redis.current());
    unlucky = create({ url: proxy.url, commandTimeout: "500ms" });
    other = create({ url: redis.current().url });
    queue = `queue-${randomUUID()}`;
    await Promise.all([unlucky.connect(), other.connect()]);
  });
  afterEach(async () => {
    await Promise.all([unlucky.close(), other.close()]);
    await proxy[Symbol.asyncDispose]();
  });

  function message(): Message {
    const id = randomUUID();
    const body = Buffer.from("1");
    return { id, run: 0, hop: 0, task: "t", queue, attempt: 0, enqueuedAt: 1, contentType: "text/plain", body };
  }

  function open(broker: Broker): Promise<Consumer> {
    return broker.consume(queue, { window: 10, lease });
  }

  test("gets its messages later, with a lease that nobody cuts short", async () => {
    const [consumer, rival] = [await open(unlucky), await open(other)];
    await other.publish([{ message: message() }], { timeout: 5_000 });
    proxy.use("dropReplies");
    const dropped = proxy.waitFor("dropped");
    const begun = monotonicNow();
    const taking = consumer.take(1, forever);
    await dropped;
    proxy.use("freeze");
    await elapse(0.8 * lease);
    proxy.use("pass");
    const [delivery] = await taking;
    expect(delivery).toMatchObject({ deliveryCount: 1 });
    const until = delivery?.leaseUntil ?? 0;
    expect(until).toBeGreaterThan(begun + lease);
    expect(await rival.take(1, AbortSignal.timeout(Math.floor(until - 50 - monotonicNow())))).toEqual([]);
    expect(await consumer.extend(delivery === undefined ? [] : [delivery])).toEqual([]);
  });
});
