import { randomUUID } from "node:crypto";
import { type BrokerEvent, createWorker, defineTask, silentLogger, type WorkerEvent } from "@taskferry/core";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { rabbitmq } from "../src/index.ts";
import { messageOf, opened, patience } from "./fixtures/values.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq({ config: ["consumer_timeout = 2000"] });

beforeAll(async () => {
  // It looks each minute by default.
  await rabbit.current().control("eval", "application:set_env(rabbit, channel_tick_interval, 1000).");
});

test("what is held longer than consumer_timeout is delivered again, with a warning", { timeout: 90_000 }, async () => {
  const broker = await opened(rabbitmq({ url: rabbit.current().url, namespace: `t${randomUUID()}` }));
  const warned = new Promise<BrokerEvent>((resolve) => {
    broker.on((event) => {
      if (event.type === "warning") resolve(event);
    });
  });
  await broker.publish([{ message: messageOf("a", "q") }], { timeout: patience });
  const consumer = await broker.consume("q", { window: 10, lease: 1_000 });
  const [old] = await consumer.take(1, AbortSignal.timeout(patience));
  if (old === undefined) throw new Error("nothing was taken");
  const [again] = await consumer.take(1, AbortSignal.timeout(60_000));
  if (again === undefined) throw new Error("nothing was delivered again");
  expect(again).toMatchObject({ message: { id: "a" }, deliveryCount: 2 });
  expect(await warned).toMatchObject({ message: expect.stringContaining("consumer_timeout") });
  expect(await consumer.settle([{ kind: "ack", delivery: old }])).toEqual(["lost"]);
  expect(await consumer.settle([{ kind: "ack", delivery: again }])).toEqual(["settled"]);
});

test("a worker goes on with a task that RabbitMQ takes back, and runs it once", { timeout: 90_000 }, async () => {
  const broker = await opened(rabbitmq({ url: rabbit.current().url, namespace: `t${randomUUID()}` }));
  let runs = 0;
  const adopted = createDeferred();
  const long = defineTask("long", { queue: "q" }).handler(async () => {
    runs += 1;
    await adopted.promise;
  });
  const worker = createWorker({ broker, results: false, handlers: [long], logger: silentLogger });
  onTestFinished(() => worker.close());
  const succeeded = new Promise<void>((resolve) => {
    worker.on(({ type }: WorkerEvent) => {
      if (type === "task.adopted") adopted.resolve();
      if (type === "task.succeeded") resolve();
    });
  });
  await worker.start();
  const message = messageOf("a", "q", { task: "long", body: Buffer.from('{"$tf":["undefined"]}') });
  await broker.publish([{ message }], { timeout: patience });
  await succeeded;
  expect(runs).toBe(1);
  await worker.close();
  expect(await broker.admin?.depth("q")).toMatchObject({ ready: 0, dead: 0 });
});

function createDeferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
