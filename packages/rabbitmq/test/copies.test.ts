import { randomUUID } from "node:crypto";
import { createWorker, defineTask, encodeMessage, silentLogger, type WorkerEvent } from "@taskferry/core";
import { connect } from "amqplib";
import { expect, onTestFinished, test } from "vitest";
import { rabbitmq } from "../src/index.ts";
import { messageOf, opened } from "./fixtures/values.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq();

/** Puts copies of one message into a queue, as publishes whose confirms were lost leave them. */
async function leaveCopies(place: { readonly url: string; readonly namespace: string }, count: number): Promise<void> {
  const broker = await opened(rabbitmq(place));
  await (await broker.consume("q", { window: 1, lease: 1_000 })).close();
  const model = await connect(place.url, { noDelay: true });
  const channel = await model.createConfirmChannel();
  const message = messageOf("a", "q", { task: "copied", body: Buffer.from('{"$tf":["undefined"]}') });
  const options = { persistent: true, headers: { "taskferry-deliveries": 1 } };
  for (let copy = 0; copy < count; copy += 1)
    channel.sendToQueue(`${place.namespace}:q`, Buffer.from(encodeMessage(message)), options);
  await channel.waitForConfirms();
  await model.close();
}

test.each([2, 3])("of %d copies of a message that come together, one runs and all are ended", async (count) => {
  const place = { url: rabbit.current().url, namespace: `t${randomUUID()}` };
  await leaveCopies(place, count);
  let runs = 0;
  const handler = defineTask("copied", { queue: "q" }).handler(async () => {
    runs += 1;
  });
  const worker = createWorker({ broker: rabbitmq(place), results: false, handlers: [handler], logger: silentLogger });
  onTestFinished(() => worker.close());
  const succeeded = new Promise<void>((resolve) => {
    worker.on(({ type }: WorkerEvent) => {
      if (type === "task.succeeded") resolve();
    });
  });
  await worker.start();
  await succeeded;
  expect(runs).toBe(1);
  const listed = async (): Promise<string | undefined> => {
    const text = await rabbit.current().control("list_queues", "--silent", "name", "messages");
    return text.split("\n").find((line) => line.startsWith(`${place.namespace}:q\t`));
  };
  // RabbitMQ counts every few seconds.
  const limit = AbortSignal.timeout(20_000);
  while ((await listed()) !== `${place.namespace}:q\t0` && !limit.aborted);
  expect(await listed()).toBe(`${place.namespace}:q\t0`);
});
