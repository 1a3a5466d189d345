import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Broker } from "@taskferry/core";
import { createFaultProxy, startNats } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import { nats } from "../src/index.ts";
import { hasSchedules } from "../src/jetstream/schedules.ts";
import { ask, idsOf, messageOf, opened, operator, patience, takeAll } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();
const publishing = { timeout: patience };

test("what a killed worker had comes to the next one once, and counts once, though the killed one had asked for more", async () => {
  const queue = randomUUID();
  const proxy = await createFaultProxy(server.current());
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const victim = await opened(nats({ url: proxy.url, commandTimeout: "1s" }));
  const doomed = await victim.consume(queue, { window: 10, lease: 600 });
  const broker = await opened(nats({ url: server.current().url }));
  await broker.publish([{ message: messageOf("a", queue) }], publishing);
  await takeAll(doomed, 1);
  const asking = doomed.take(1, AbortSignal.timeout(patience));
  await waitFor(async () => (await waitingAt(queue)) === 1);
  proxy.use("refuse");
  proxy.reset();
  // Nobody else asks when its lease ends.
  await pause(1_000);
  const survivor = await broker.consume(queue, { window: 10, lease: 600 });
  const again = await takeAll(survivor, 1);
  expect(again).toMatchObject([{ message: { id: "a" }, deliveryCount: 2 }]);
  expect(await survivor.settle(again.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled"]);
  await broker.publish([{ message: messageOf("b", queue) }], publishing);
  expect(idsOf(await survivor.take(1, AbortSignal.timeout(patience)))).toEqual(["b"]);
  await victim.close();
  await asking.catch(() => undefined);
});

test("a take that was ended leaves no request behind", async () => {
  const queue = randomUUID();
  const broker = await opened(nats({ url: server.current().url }));
  const consumer = await broker.consume(queue, { window: 10, lease: 30_000 });
  const end = new AbortController();
  const taking = consumer.take(1, end.signal);
  await waitFor(async () => (await waitingAt(queue)) === 1);
  end.abort();
  expect(await taking).toEqual([]);
  expect(await waitingAt(queue)).toBe(0);
});

test("what a killed server has forgotten to have delivered is left to who has it", async (context) => {
  const own = await startNats();
  onTestFinished(() => own[Symbol.asyncDispose]());
  const { version = "" } = (await operator(own.url)).info ?? {};
  context.skip(
    hasSchedules(version),
    "a server of 2.15 hears no acknowledgement of what it forgot, and delivers it again",
  );
  const broker = await opened(nats({ url: own.url }));
  const options = { window: 10, lease: 30_000 };
  const consumer = await broker.consume("q", options);
  const others = await (await opened(nats({ url: own.url }))).consume("q", options);
  await broker.publish([{ message: messageOf("a", "q") }], publishing);
  const held = await takeAll(consumer, 1);
  const taking = others.take(1, AbortSignal.timeout(patience));
  const connected = untilConnected(broker);
  await own.kill();
  await own.start();
  await connected;
  await pause(400);
  expect(await consumer.settle(held.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled"]);
  await broker.publish([{ message: messageOf("b", "q") }], publishing);
  expect(idsOf(await taking)).toEqual(["b"]);
});

test("what a killed server takes for held, though it is there no more, does not count, and is held no longer", async () => {
  const own = await startNats();
  onTestFinished(() => own[Symbol.asyncDispose]());
  const options = { window: 10, lease: 30_000 };
  const broker = await opened(nats({ url: own.url }));
  await broker.publish([{ message: messageOf("before", "elsewhere") }, { message: messageOf("a", "q") }], publishing);
  const consumer = await broker.consume("q", options);
  const held = await takeAll(consumer, 1);
  // Within a tenth of a second JetStream writes down what it has delivered.
  await pause(500);
  const state = join(own.directory, "jetstream/jetstream/$G/streams/taskferry/obs/q=1/o.dat");
  const before = await readFile(state);
  expect(await consumer.settle(held.map((delivery) => ({ kind: "ack", delivery })))).toEqual(["settled"]);
  await broker.close();
  await own.stop();
  // A server that is killed has removed the message, and not written down that it was acknowledged.
  await writeFile(state, before);
  await own.start();
  const again = await opened(nats({ url: own.url }));
  const connection = await operator(own.url);
  const heldByServer = async (): Promise<number> =>
    (await ask<{ readonly num_ack_pending: number }>(connection, "CONSUMER.INFO.taskferry.q=1")).num_ack_pending;
  expect(await heldByServer()).toBe(1);
  expect(await again.admin?.depth("q")).toMatchObject({ ready: 0, running: 0 });
  await again.consume("q", options);
  expect(await heldByServer()).toBe(0);
  expect(await again.admin?.depth("elsewhere")).toMatchObject({ ready: 1 });
});

/** Requests that wait at the server's consumer of a queue. */
async function waitingAt(queue: string): Promise<number> {
  const connection = await operator(server.current().url);
  const info = await ask<{ readonly num_waiting: number }>(connection, `CONSUMER.INFO.taskferry.${queue}=1`);
  return info.num_waiting;
}

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(10);
}

function untilConnected(broker: Broker): Promise<void> {
  return new Promise((resolve) => {
    broker.on(({ type }) => type === "connected" && resolve());
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
