import type { Delivery } from "@taskferry/core";
import { expect } from "vitest";
import { within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, settlementsOf } from "./messages.ts";

export const windowTopic: BrokerTopic = {
  name: "window",
  needs: ["at-least-once"],
  rules: [
    { name: "bounds all unsettled deliveries, those that run included", check: boundsUnsettled },
    { name: "take resolves [] at once when the window is used up", check: usedUp },
    { name: "each kind of settlement frees a place", needs: ["redelivery"], check: settlementsFree },
    { name: "a window of 1 is strictly one by one", check: oneByOne },
    { name: "what does not fit is left to other consumers", needs: ["one-receiver"], check: leftToOthers },
  ],
};

async function boundsUnsettled(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 3 });
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const held: Delivery[] = [];
  const done: Delivery[] = [];
  while (done.length < messages.length) {
    const deliveries = await consumer.take(100, AbortSignal.timeout(held.length > 0 ? 50 : scene.timing.slack));
    held.push(...deliveries);
    expect(held.length, "deliveries held with a window of 3").toBeLessThanOrEqual(3);
    const first = held.shift();
    if (first === undefined) throw new Error("Expected a delivery, since none is held.");
    await scene.ack(consumer, first);
    done.push(first);
  }
  expectEachOnce(done, messages);
}

async function usedUp(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 2 });
  await scene.publish(...scene.messages(5));
  const held = await scene.take(consumer, 2);
  const signal = AbortSignal.timeout(2 * scene.timing.slack);
  const taken = await within(consumer.take(1, signal), scene.timing.slack, "take with a window that is used up");
  expect(taken, "beyond the window").toEqual([]);
  await scene.ack(consumer, ...held.slice(0, 1));
  await scene.take(consumer, 1);
}

async function settlementsFree(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 4 });
  await scene.publish(...scene.messages(8));
  const held = await scene.take(consumer, 4);
  const kinds = ["ack", "release", "retry", "reject"] as const;
  const settlements = kinds.flatMap((kind, index) =>
    held.slice(index, index + 1).map((delivery) => settlementsOf(delivery)[kind]),
  );
  await scene.settle(consumer, ...settlements);
  await scene.take(consumer, 4);
}

async function oneByOne(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1 });
  const messages = scene.messages(5);
  await scene.publish(...messages);
  const taken: Delivery[] = [];
  for (let turn = 0; turn < messages.length; turn += 1) {
    const deliveries = await consumer.take(100, AbortSignal.timeout(scene.timing.slack));
    expect(deliveries.length).toBe(1);
    taken.push(...deliveries);
    await scene.ack(consumer, ...deliveries);
  }
  expectEachOnce(taken, messages);
}

async function leftToOthers(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(20);
  await scene.publish(...messages);
  const greedy = await scene.consumer({ window: 3 });
  const held = await scene.take(greedy, 3);
  const other = await scene.consumer({ broker: await scene.anotherProcess(), window: 20 });
  const rest = await scene.take(other, 17);
  expectEachOnce([...held, ...rest], messages);
}
