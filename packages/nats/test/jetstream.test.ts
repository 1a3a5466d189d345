import { randomUUID } from "node:crypto";
import type { BrokerEvent } from "@taskferry/core";
import { createFaultProxy, startNats } from "@taskferry/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { nats } from "../src/index.ts";
import { ask, idsOf, messageOf, opened, operator, patience, type StreamState, takeAll } from "./fixtures/values.ts";
import { brokerMarks, cutReplyTo, privateNats } from "./harness.ts";

const server = privateNats();
const publishing = { timeout: patience };
const options = { window: 100, lease: 30_000 };

describe("a full stream", () => {
  test.each([
    ["its own limit", { maxBytes: 100_000 }, undefined],
    ["the server's", {}, "100KB"],
  ])("by %s refuses publishes, lets everything else go on, and recovers", async (_, own, maxStore) => {
    const full = await startNats(maxStore === undefined ? {} : { jetStream: { maxStore } });
    onTestFinished(() => full[Symbol.asyncDispose]());
    const broker = await opened(nats({ url: full.url, ...own }));
    const events: BrokerEvent["type"][] = [];
    broker.on(({ type }) => events.push(type));
    const body = Buffer.alloc(5_000, 1);
    const publish = async (id: string) => {
      const [result] = await broker.publish([{ message: messageOf(id, "q", { body }) }], publishing);
      return result;
    };
    let accepted = 0;
    while ((await publish(`m${accepted}`))?.status === "accepted") accepted += 1;
    expect(await publish("more")).toMatchObject({ status: "refused", error: { code: "BROKER_FULL", retryable: true } });
    expect(events).toEqual(["blocked"]);
    expect(accepted).toBeGreaterThan(10);
    const consumer = await broker.consume("q", options);
    const taken = await takeAll(consumer, accepted);
    expect(await consumer.extend(taken)).toEqual([]);
    const half = taken.slice(0, Math.floor(accepted / 2));
    const settled = await consumer.settle(half.map((delivery) => ({ kind: "ack", delivery })));
    expect(settled).toEqual(half.map(() => "settled"));
    expect(await publish("more")).toEqual({ status: "accepted" });
    expect(events).toEqual(["blocked", "unblocked"]);
  });

  test("takes back what is released, though it must count it", async () => {
    const broker = await opened(nats({ url: server.current().url, namespace: "brim", maxBytes: 20_000 }));
    const body = Buffer.alloc(5_000, 1);
    for (const id of ["a", "b", "c"]) await broker.publish([{ message: messageOf(id, "q", { body }) }], publishing);
    const consumer = await broker.consume("q", options);
    const [first, ...rest] = await takeAll(consumer, 3);
    if (first === undefined) throw new Error("Expected three deliveries.");
    await broker.publish([{ message: messageOf("d", "q", { body: Buffer.alloc(3_000) }) }], publishing);
    const [answer] = await consumer.settle([{ kind: "release", delivery: first }]);
    expect(answer).toBe("unknown");
    await consumer.settle(rest.map((delivery) => ({ kind: "ack", delivery })));
    expect(await consumer.settle([{ kind: "release", delivery: first }])).toEqual(["settled"]);
    expect(idsOf(await takeAll(consumer, 2)).sort()).toEqual(["a", "d"]);
  });
});

test("what is sent again, after an attempt without an answer, does not count as new", async () => {
  const own = await startNats();
  onTestFinished(() => own[Symbol.asyncDispose]());
  const proxy = await createFaultProxy(own);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const producer = await opened(nats({ url: proxy.url }));
  const [first, second] = [messageOf("first", "q"), messageOf("second", "q")];
  await producer.publish([{ message: first }], publishing);
  const consumer = await (await opened(nats({ url: own.url }))).consume("q", options);
  const settleNext = async (): Promise<void> => {
    const taken = await takeAll(consumer, 1);
    expect(await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled"]);
  };
  await settleNext();
  cutReplyTo(proxy, brokerMarks.publish);
  const cut = proxy.waitFor("cut");
  const sendingAgain = producer.publish([{ message: second }], { timeout: 20_000 });
  await cut;
  proxy.use("refuse");
  proxy.reset();
  await settleNext();
  await own.restart();
  proxy.use("pass");
  expect(await sendingAgain).toEqual([{ status: "accepted" }]);
  const others = await (await opened(nats({ url: own.url }))).consume("q", options);
  const [again] = await takeAll(others, 1);
  expect(again).toMatchObject({ message: { id: "second" }, deliveryCount: undefined });
});

describe("a killed server", () => {
  test("leaves no orphans: what was acknowledged takes up no room", async () => {
    const own = await startNats();
    onTestFinished(() => own[Symbol.asyncDispose]());
    const broker = await opened(nats({ url: own.url, commandTimeout: "1s" }));
    const consumer = await broker.consume("q", options);
    for (let round = 0; round < 3; round += 1) {
      const ids = Array.from({ length: 20 }, (_, index) => `${round}-${index}`);
      await broker.publish(
        ids.map((id) => ({ message: messageOf(id, "q") })),
        publishing,
      );
      const taken = await takeAll(consumer, 20);
      await consumer.settle(taken.slice(0, 19).map((delivery) => ({ kind: "ack", delivery })));
      // Within a tenth of a second JetStream writes down what was acknowledged; what it had not is delivered again.
      await new Promise((resolve) => setTimeout(resolve, 500));
      const connected = new Promise<void>((resolve) => {
        broker.on(({ type }) => type === "connected" && resolve());
      });
      await own.kill();
      await own.start();
      await connected;
      await consumer.settle(taken.slice(19).map((delivery) => ({ kind: "ack", delivery })));
      expect(await broker.admin?.depth("q")).toMatchObject({ ready: 0, running: 0 });
    }
    // A worker looks for orphans when it begins, and whenever it has found its server again.
    await consumer.close();
    await broker.consume("q", options);
    const connection = await operator(own.url);
    const info = await ask<StreamState>(connection, "STREAM.INFO.taskferry");
    expect(info.state.messages).toBe(0);
  });
});

describe("an operator", () => {
  test("may delete the consumer of a queue: it is made again, and nothing is lost", async () => {
    const queue = randomUUID();
    const broker = await opened(nats({ url: server.current().url }));
    const consumer = await broker.consume(queue, options);
    const outgoing = ["a", "b", "c"].map((id) => ({ message: messageOf(id, queue) }));
    await broker.publish(outgoing, publishing);
    const [held] = await consumer.take(1, AbortSignal.timeout(patience));
    if (held === undefined) throw new Error("Expected a delivery.");
    const waiting = takeAll(consumer, 3);
    await ask(await operator(server.current().url), `CONSUMER.DELETE.taskferry.${queue}=1`);
    expect(idsOf(await waiting)).toHaveLength(3);
    expect(await consumer.settle([{ kind: "ack", delivery: held }])).toEqual(["lost"]);
  });

  test("may delete the stream: it is made again, and publishes go on", async () => {
    // In memory: a server that removes the files of a stream may take those of its successor along.
    const broker = await opened(
      nats({ url: server.current().url, namespace: "gone", commandTimeout: "1s", storage: "memory" }),
    );
    const consumer = await broker.consume("q", options);
    const taking = consumer.take(1, AbortSignal.timeout(4 * patience));
    await ask(await operator(server.current().url), "STREAM.DELETE.gone");
    const publish = () => broker.publish([{ message: messageOf("a", "q") }], { timeout: 2 * patience });
    await expect(publish()).resolves.toEqual([{ status: "accepted" }]);
    expect(idsOf(await taking)).toEqual(["a"]);
  });

  test("may not use a stream of another kind", async () => {
    const connection = await operator(server.current().url);
    await ask(connection, "STREAM.CREATE.foreign", { name: "foreign", subjects: ["foreign.q.>", "foreign.delay.>"] });
    const broker = nats({ url: server.current().url, namespace: "foreign" });
    await expect(broker.connect()).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
  });
});

describe("leases", () => {
  test("of a crashed worker end though another has a longer one", async () => {
    const queue = randomUUID();
    const proxy = await createFaultProxy(server.current());
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const victim = await opened(nats({ url: proxy.url, commandTimeout: "1s" }));
    const doomed = await victim.consume(queue, { window: 1, lease: 500 });
    const broker = await opened(nats({ url: server.current().url }));
    await broker.publish([{ message: messageOf("a", queue) }], publishing);
    await doomed.take(1, AbortSignal.timeout(patience));
    proxy.use("refuse");
    proxy.reset();
    const survivor = await broker.consume(queue, { window: 10, lease: 60_000 });
    const [again] = await survivor.take(1, AbortSignal.timeout(patience));
    expect(again?.deliveryCount).toBe(2);
    // Ends by the server's terms would come every half a second.
    expect(await survivor.take(1, AbortSignal.timeout(1_500))).toEqual([]);
    expect(await survivor.settle(again === undefined ? [] : [{ kind: "ack", delivery: again }])).toEqual(["settled"]);
  });

  test("a process that is cut off is told lost once its lease is over, whatever the server thinks", async () => {
    const queue = randomUUID();
    const proxy = await createFaultProxy(server.current());
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const broker = await opened(nats({ url: proxy.url, commandTimeout: "1s" }));
    const consumer = await broker.consume(queue, { window: 1, lease: 400 });
    await broker.publish([{ message: messageOf("a", queue) }], publishing);
    const [held] = await consumer.take(1, AbortSignal.timeout(patience));
    if (held?.leaseUntil === undefined) throw new Error("Expected a lease.");
    proxy.use("freeze");
    await new Promise((resolve) => setTimeout(resolve, 450));
    proxy.use("pass");
    expect(await consumer.settle([{ kind: "ack", delivery: held }])).toEqual(["lost"]);
    const other = await opened(nats({ url: server.current().url }));
    const rescuer = await other.consume(queue, { window: 1, lease: 400 });
    expect(idsOf(await takeAll(rescuer, 1))).toEqual(["a"]);
  });
});

test("a connection that is passed in is used, and never closed", async () => {
  const connection = await operator(server.current().url);
  const queue = randomUUID();
  const broker = nats({ connection });
  await broker.connect();
  expect(await broker.publish([{ message: messageOf("a", queue) }], publishing)).toEqual([{ status: "accepted" }]);
  const consumer = await broker.consume(queue, options);
  expect(idsOf(await takeAll(consumer, 1))).toEqual(["a"]);
  await broker.close();
  expect(connection.isClosed()).toBe(false);
  await connection.flush();
});

test("what was published to another band first finds a worker that was there before", async () => {
  const queue = randomUUID();
  const worker = await opened(nats({ url: server.current().url }));
  const consumer = await worker.consume(queue, options);
  const taking = takeAll(consumer, 2, patience);
  const client = await opened(nats({ url: server.current().url }));
  await client.publish([{ message: messageOf("low", queue, { priority: 0 }) }], publishing);
  await client.publish([{ message: messageOf("high", queue, { priority: 9 }) }], publishing);
  expect(idsOf(await taking).sort()).toEqual(["high", "low"]);
});

test("two operators who remove the same messages at the same moment remove each once", async () => {
  const queue = randomUUID();
  const brokers = [
    await opened(nats({ url: server.current().url })),
    await opened(nats({ url: server.current().url })),
  ];
  const ids = Array.from({ length: 40 }, (_, index) => `m${index}`);
  await brokers[0]?.publish(
    ids.map((id) => ({ message: messageOf(id, queue) })),
    publishing,
  );
  const page = await brokers[0]?.admin?.list(queue, { section: "ready", limit: 100 });
  const keys = page?.entries.map(({ key }) => key) ?? [];
  const removed = await Promise.all(brokers.map((broker) => broker.admin?.remove(queue, "ready", keys) ?? 0));
  expect(removed.reduce((sum, count) => sum + count, 0)).toBe(40);
});
