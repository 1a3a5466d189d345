import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { dial, readDialling } from "../src/driver.ts";
import { privateRabbitmq } from "./harness.ts";

const rabbit = privateRabbitmq();

test("an acknowledgement leaves before an immediate, and so before whatever else is coming in", async () => {
  const model = await dial(readDialling({ url: rabbit.current().url }));
  const { stream } = model.connection as unknown as { readonly stream: Socket };
  const channel = await model.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  channel.sendToQueue(queue, Buffer.from("1"));
  const message = await new Promise((resolve) => {
    void channel.consume(queue, resolve);
  });
  await new Promise(setImmediate);
  const before = stream.bytesWritten;
  const after = new Promise<number>((resolve) => setImmediate(() => resolve(stream.bytesWritten)));
  channel.ack(message as Parameters<typeof channel.ack>[0]);
  expect(await after).toBeGreaterThan(before);
  await model.close();
});
