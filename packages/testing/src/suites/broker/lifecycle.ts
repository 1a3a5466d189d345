import type { Broker } from "@taskferry/core";
import { expect } from "vitest";
import { lifecycleRules } from "../connectable.ts";
import { within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";

export const lifecycleTopic: BrokerTopic = {
  name: "lifecycle",
  rules: [
    ...lifecycleRules<Broker, BrokerScene>(),
    { name: "the name is short and carries no URL", check: nameIsShort },
    { name: "this is version 1 of the contract", check: isVersionOne },
    {
      name: "messages outlive the close of one of several processes",
      needs: ["at-least-once"],
      check: messagesOutlive,
    },
    { name: "close of the broker ends a take that waits, and consumers reject with CLOSED", check: closeEndsConsumers },
  ],
};

async function nameIsShort(scene: BrokerScene): Promise<void> {
  expect(scene.broker.name).toMatch(/^[a-z0-9][a-z0-9-]{0,39}$/);
}

async function isVersionOne(scene: BrokerScene): Promise<void> {
  expect(scene.broker.contract).toBe(1);
}

async function messagesOutlive(scene: BrokerScene): Promise<void> {
  const publisher = await scene.harness.connect();
  await publisher.connect();
  const message = scene.message();
  await scene.offer([message], publisher);
  await publisher.close();
  expect((await scene.drainQueue({ atLeast: 1 })).map((delivery) => delivery.message?.id)).toEqual([message.id]);
}

async function closeEndsConsumers(scene: BrokerScene): Promise<void> {
  const broker = await scene.fresh();
  await broker.connect();
  const consumer = await broker.consume(scene.queue, { window: 5, lease: scene.timing.lease });
  const never = new AbortController().signal;
  const taking = Promise.allSettled([consumer.take(1, never)]);
  await broker.close();
  const [ended] = await within(taking, scene.timing.slack, "take to end after the broker's close");
  expect(ended).toMatchObject(ended.status === "fulfilled" ? { value: [] } : { reason: { code: "CLOSED" } });
  const again = within(consumer.take(1, never), scene.timing.slack, "take after the broker's close");
  await expect(again).rejects.toMatchObject({ code: "CLOSED" });
  await within(consumer.close(), scene.timing.slack, "close of a consumer after its broker's");
}
