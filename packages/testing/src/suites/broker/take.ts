import { getEventListeners } from "node:events";
import { type Delivery, monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { busyShare, elapse, within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, idsOf, messageOf } from "./messages.ts";

/** Longer than a blocking read of a server usually lasts, in milliseconds. */
const longWait = 2_500;
/** A consumer that is told of a message takes it sooner than this, one that polls does not. Milliseconds. */
const pushed = 500;

export const takeTopic: BrokerTopic = {
  name: "take",
  needs: ["at-least-once"],
  rules: [
    { name: "resolves to 1 to max deliveries", check: oneToMax },
    { name: "waits for a message that another process publishes", check: waitsForMessage },
    { name: "wakes soon, not at the next poll", check: wakesSoon },
    { name: "wakes after a long wait", check: wakesAfterLongWait },
    { name: "resolves [] when the signal aborts, and at once when it has aborted before", check: abortResolvesEmpty },
    { name: "drops nothing when a message and the abort come at the same moment", check: abortDropsNothing },
    { name: "leaves no listener on the signal", check: leavesNoListener },
    { name: "a queue need not exist yet, and no other queue's messages come", check: onlyItsQueue },
    { name: "competing consumers get disjoint messages", needs: ["one-receiver"], check: disjoint },
    { name: "an idle consumer keeps nothing busy", check: burnsNothing },
  ],
};

async function oneToMax(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const consumer = await scene.consumer();
  const sizes = [1, 4, 100];
  const taken: Delivery[] = [];
  for (let turn = 0; taken.length < messages.length; turn += 1) {
    const max = sizes[turn % sizes.length] ?? 1;
    const deliveries = await consumer.take(max, AbortSignal.timeout(scene.timing.slack));
    expect(deliveries.length).toBeGreaterThanOrEqual(1);
    expect(deliveries.length).toBeLessThanOrEqual(max);
    taken.push(...deliveries);
  }
  expectEachOnce(taken, messages);
}

async function waitsForMessage(scene: BrokerScene): Promise<void> {
  const other = await scene.anotherProcess();
  const consumer = await scene.consumer({ broker: other });
  const taking = consumer.take(10, AbortSignal.timeout(scene.timing.slack));
  await scene.expectPending(taking);
  const message = scene.message();
  await scene.publish(message);
  expectEachOnce(await taking, [message]);
}

async function wakesSoon(scene: BrokerScene): Promise<void> {
  const other = await scene.anotherProcess();
  const consumer = await scene.consumer({ broker: other });
  const delays: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const taking = scene.takeOne(consumer);
    await elapse(20 + 37 * round);
    const start = monotonicNow();
    await scene.publish(scene.message());
    await scene.ack(consumer, await taking);
    delays.push(scene.since(start));
  }
  const [best = Number.POSITIVE_INFINITY] = delays.sort((a, b) => a - b);
  expect(best, `ms from publish to take, best of ${delays}`).toBeLessThan(pushed);
}

async function wakesAfterLongWait(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const taking = consumer.take(1, AbortSignal.timeout(longWait + scene.timing.slack));
  await elapse(longWait);
  await scene.expectPending(taking);
  const other = await scene.anotherProcess();
  const message = scene.message();
  await scene.offer([message], other);
  expectEachOnce(await taking, [message]);
}

async function abortResolvesEmpty(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const aborted = consumer.take(1, AbortSignal.abort(new Error("not to be thrown")));
  expect(await within(aborted, scene.timing.slack, "take with an aborted signal")).toEqual([]);
  const controller = new AbortController();
  const taking = consumer.take(1, controller.signal);
  controller.abort(new Error("not to be thrown"));
  expect(await within(taking, scene.timing.slack, "take to end after the abort")).toEqual([]);
  const message = scene.message();
  await scene.publish(message);
  expectEachOnce(await scene.take(consumer, 1), [message]);
}

/** With leases that do not end within the test, a delivery that was dropped does not come again. */
async function abortDropsNothing(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  for (let round = 0; round < 40; round += 1) {
    const controller = new AbortController();
    const message = scene.message();
    const taking = consumer.take(1, controller.signal);
    const publishing = scene.publish(message);
    if (round % 4 === 0) await publishing;
    if (round % 4 === 1) await new Promise((resolve) => setImmediate(resolve));
    if (round % 4 === 2) await elapse(round % 5);
    controller.abort();
    await publishing;
    const taken = await within(taking, scene.timing.slack, "take to end after the abort");
    const [delivery = await scene.takeOne(consumer)] = taken;
    expect(messageOf(delivery).id, `the message of round ${round}`).toBe(message.id);
    await scene.ack(consumer, delivery);
  }
}

async function leavesNoListener(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const controller = new AbortController();
  for (const message of scene.messages(30)) {
    const taking = consumer.take(1, controller.signal);
    await scene.publish(message);
    const [delivery] = await within(taking, scene.timing.slack, "take to end");
    if (delivery !== undefined) await scene.ack(consumer, delivery);
  }
  expect(getEventListeners(controller.signal, "abort"), "listeners left on the signal").toEqual([]);
}

async function onlyItsQueue(scene: BrokerScene): Promise<void> {
  const queue = scene.newQueue();
  const consumer = await scene.consumer({ queue });
  await scene.publish(...scene.messages(5));
  await scene.expectNothing(consumer, "messages of another queue");
  const message = scene.message({ queue });
  await scene.publish(message);
  expectEachOnce(await scene.drain(consumer), [message]);
}

async function disjoint(scene: BrokerScene): Promise<void> {
  const other = await scene.anotherProcess();
  const brokers = [scene.broker, scene.broker, other, other];
  const consumers = await Promise.all(brokers.map((broker) => scene.consumer({ broker, window: 10 })));
  const messages = scene.messages(400);
  const publishing = scene.publish(...messages);
  const drained = await Promise.all(consumers.map((consumer) => scene.drain(consumer, 500)));
  await publishing;
  expectEachOnce(drained.flat(), messages);
  expect(new Set(drained.flatMap(idsOf)).size).toBe(messages.length);
}

async function burnsNothing(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const busy = await busyShare(async () => {
    expect(await consumer.take(1, AbortSignal.timeout(300))).toEqual([]);
  });
  expect(busy, "share of time for which an idle take keeps the process busy").toBeLessThan(0.5);
}
