import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { idsOf } from "./messages.ts";

export const orderingTopic: BrokerTopic = {
  name: "ordering",
  needs: ["at-least-once", "ordering"],
  rules: [
    { name: "first in, first out within a batch", check: withinBatch },
    { name: "first in, first out over calls of several processes", check: overProcesses },
    { name: "first in, first out when taken one by one", check: oneByOne },
  ],
};

async function withinBatch(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(300);
  await scene.publish(...messages);
  expect(idsOf(await scene.drainQueue({ atLeast: 1 }))).toEqual(messages.map(({ id }) => id));
}

async function overProcesses(scene: BrokerScene): Promise<void> {
  const processes = [scene.broker, await scene.anotherProcess()];
  const messages = scene.messages(40);
  for (const [index, message] of messages.entries()) await scene.offer([message], processes[index % 2]);
  expect(idsOf(await scene.drainQueue({ atLeast: 1 }))).toEqual(messages.map(({ id }) => id));
}

async function oneByOne(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(30);
  await scene.publish(...messages);
  const consumer = await scene.consumer({ window: 5 });
  const order: string[] = [];
  while (order.length < messages.length) {
    const delivery = await scene.takeOne(consumer);
    order.push(...idsOf([delivery]));
    await scene.ack(consumer, delivery);
  }
  expect(order).toEqual(messages.map(({ id }) => id));
}
