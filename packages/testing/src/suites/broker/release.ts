import { type Delivery, monotonicNow, type Settlement } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, idsOf, messageOf } from "./messages.ts";

export const releaseTopic: BrokerTopic = {
  name: "release",
  needs: ["at-least-once", "redelivery"],
  rules: [
    { name: "anybody may take the message at once", check: anybodyAtOnce },
    { name: "the same consumer may take it again", check: sameConsumer },
    { name: "a message released fifty times is still there, with its bytes", check: fiftyTimes },
    { name: "is not counted as a delivery", needs: ["deliveryCount"], check: notCounted },
    { name: "500 in one call", check: manyAtOnce },
    {
      name: "takes nothing from the neighbours' order but its own place",
      needs: ["ordering"],
      check: neighboursInOrder,
    },
  ],
};

function release(delivery: Delivery): Settlement {
  return { kind: "release", delivery };
}

async function anybodyAtOnce(scene: BrokerScene): Promise<void> {
  const owner = await scene.consumer({ window: 1 });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(owner);
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  const taking = scene.take(other, 1);
  await scene.expectPending(taking);
  const start = monotonicNow();
  await scene.settle(owner, release(delivery));
  expect(idsOf(await taking)).toEqual(idsOf([delivery]));
  expect(scene.since(start), "ms until another had it").toBeLessThan(scene.timing.slack);
}

async function sameConsumer(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1 });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(consumer);
  await scene.settle(consumer, release(delivery));
  const again = await scene.takeOne(consumer);
  expect(idsOf([again])).toEqual(idsOf([delivery]));
  await scene.ack(consumer, again);
  await scene.expectNothing(consumer, "the message a second time");
}

async function fiftyTimes(scene: BrokerScene): Promise<void> {
  const message = scene.message({ headers: { kept: "yes" }, body: Buffer.from([0, 10, 255]) });
  await scene.publish(message);
  const consumer = await scene.consumer({ window: 1 });
  for (let turn = 0; turn < 50; turn += 1) await scene.settle(consumer, release(await scene.takeOne(consumer)));
  const delivery = await scene.takeOne(consumer);
  // A server that counts requeues makes the broker publish the message again, with another hop.
  const { hop: _, body, ...rest } = messageOf(delivery);
  const { hop: __, body: sent, ...expected } = message;
  expect(rest).toEqual(expected);
  expect(Buffer.from(body)).toEqual(Buffer.from(sent));
  await scene.ack(consumer, delivery);
  await scene.expectNothing(consumer, "the message a second time");
  if (scene.broker.admin !== undefined) await scene.expectDepth({});
}

async function notCounted(scene: BrokerScene): Promise<void> {
  await scene.publish(scene.message());
  const consumer = await scene.consumer({ window: 1 });
  for (let turn = 0; turn < 12; turn += 1) {
    const delivery = await scene.takeOne(consumer);
    expect(delivery.deliveryCount, `deliveryCount after ${turn} releases`).toBe(1);
    await scene.settle(consumer, release(delivery));
  }
}

async function manyAtOnce(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(500);
  await scene.publish(...messages);
  const owner = await scene.consumer({ window: 500 });
  await scene.settle(owner, ...(await scene.take(owner, 500)).map(release));
  await owner.close();
  const other = await scene.consumer({ broker: await scene.anotherProcess(), window: 500 });
  expectEachOnce(await scene.drain(other), messages);
}

async function neighboursInOrder(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(6);
  for (const message of messages) await scene.publish(message);
  const consumer = await scene.consumer({ window: 1 });
  const first = await scene.takeOne(consumer);
  await scene.settle(consumer, release(first));
  const order: string[] = [];
  while (order.length < messages.length) {
    const delivery = await scene.takeOne(consumer);
    order.push(messageOf(delivery).id);
    await scene.ack(consumer, delivery);
  }
  const others = messages.slice(1).map(({ id }) => id);
  expect(order.filter((id) => id !== messages[0]?.id)).toEqual(others);
  expect(order).toContain(messages[0]?.id);
}
