import { createClient, createWorker, defineTask, memoryState, silentLogger } from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { rabbitmq, rabbitmqFanout } from "../src/index.ts";
import { messageOf, opened, patience } from "./fixtures/values.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq();
const double = defineTask<number, number>("double");

test("with nothing but RabbitMQ, who enqueued gets the result, and nobody else", { timeout: 60_000 }, async () => {
  const config = () => ({ broker: rabbitmq({ url: rabbit.current().url }), logger: silentLogger });
  const worker = createWorker({
    ...config(),
    handlers: [
      double.handler((input) => {
        if (input < 0) throw new Error("negative");
        return 2 * input;
      }),
    ],
  });
  const failed = new Promise<void>((resolve) => {
    worker.on(({ type }) => {
      if (type === "task.failed") resolve();
    });
  });
  await worker.start();
  onTestFinished(() => worker.close());
  const client = await createClient(config());
  onTestFinished(() => client.close());
  const other = await createClient(config());
  onTestFinished(() => other.close());

  const handle = await client.enqueue(double, 21);
  expect(await handle.result({ timeout: "10s" })).toBe(42);
  expect(await handle.get()).toMatchObject({ status: "succeeded", result: 42 });
  const failing = await client.enqueue(double, -1, { retry: { attempts: 1 } });
  expect(await failing.outcome({ timeout: "10s" })).toMatchObject({ status: "failed", error: { message: "negative" } });
  const refusal = { code: "UNSUPPORTED_CAPABILITY", message: expect.stringContaining("rabbitmq-results") };
  await expect(other.handle(double, handle.id).get()).rejects.toMatchObject(refusal);
  await expect(other.handle(double, handle.id).result({ timeout: "10s" })).rejects.toMatchObject(refusal);
  expect(await client.handle(double, handle.id).result({ timeout: "10s" })).toBe(42);

  await failed;
  const { replayed } = await client.deadLetters.replay("default", "all");
  expect(replayed).toHaveLength(1);
  await expect(client.queues.queues()).rejects.toMatchObject({ code: "UNSUPPORTED_CAPABILITY" });
});

test("with a state store beside it, the workers that live are known, and what waits in their queues", async () => {
  const state = memoryState();
  const broker = () => rabbitmq({ url: rabbit.current().url, namespace: "watched" });
  const config = { state, results: false, logger: silentLogger } as const;
  const client = await createClient({ ...config, broker: broker() });
  onTestFinished(() => client.close());
  const worker = createWorker({ ...config, broker: broker(), handlers: [double.handler((input) => 2 * input)] });
  onTestFinished(() => worker.close());
  await worker.start();
  const listed = (await client.workers()).map(({ queues }) => queues.map(({ queue }) => queue));
  expect(listed).toEqual([["default"]]);
  expect(await client.queues.depth("default")).toEqual({ ready: 0, dead: 0 });
});

test("who listens to the fan-out is there again after an outage, and is told of the gap", async () => {
  const { url } = rabbit.current();
  const offer = rabbitmq({ url }).companions?.broadcast;
  const listening = await opened(offer?.() ?? rabbitmqFanout({ url }));
  const speaking = await opened(rabbitmqFanout({ url }));
  const publish = (id: string) => speaking.publish([{ message: messageOf(id, "all") }], { timeout: patience });
  expect(await publish("nobody")).toMatchObject([{ status: "refused", error: { code: "NO_RECEIVERS" } }]);
  const consumer = await listening.consume("all", { window: 10, lease: 1_000 });
  const gap = new Promise<void>((resolve) => {
    listening.on(({ type }) => {
      if (type === "gap") resolve();
    });
  });
  await rabbit.current().control("close_all_connections", "test");
  await gap;
  const taking = consumer.take(1, AbortSignal.timeout(2 * patience));
  let status = "";
  const limit = AbortSignal.timeout(patience);
  while (status !== "accepted" && !limit.aborted) status = (await publish("after"))[0]?.status ?? "";
  expect((await taking)[0]?.message?.id).toBe("after");
});
