import { type Message, monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { elapse } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { rounding } from "./delay.ts";
import { expectEachOnce, expectSameMessage, idsOf, messageOf, nextHop } from "./messages.ts";

export const retryTopic: BrokerTopic = {
  name: "retry",
  needs: ["at-least-once", "redelivery"],
  rules: [
    { name: "puts the next hop in the place of the old one, with its own bytes", check: replaces },
    { name: "is not delivered before its delay, ten times in a row", needs: ["delay"], check: notHot },
    { name: "a delay of 0 comes back at once", check: zeroIsAtOnce },
    { name: "counts deliveries of the next hop anew", needs: ["deliveryCount"], check: countsAnew },
    { name: "where the next hop was published already, it stays one", needs: ["dedupe"], check: alreadyPublished },
    { name: "waits as delayed, and survives the close of its worker", needs: ["delay"], check: survivesClose },
    { name: "200 with delays of their own in one call", needs: ["delay"], check: manyAtOnce },
    { name: "keeps its band", needs: ["priority"], check: keepsBand },
  ],
};

async function replaces(scene: BrokerScene): Promise<void> {
  const lease = 2 * scene.timing.lease;
  const consumer = await scene.consumer({ lease });
  const message = scene.message({ headers: { try: "first" } });
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  const next = nextHop(message, { attempt: 1, headers: { try: "second" }, body: Buffer.from([0, 10, 255]) });
  await scene.settle(consumer, { kind: "retry", delivery, next, delay: 0 });
  const again = await scene.takeOne(consumer);
  expectSameMessage(messageOf(again), next);
  await scene.ack(consumer, again);
  await scene.expectNothing(consumer, "the old message beside its retry", 2 * lease);
  if (scene.broker.admin !== undefined) await scene.expectDepth({});
}

async function notHot(scene: BrokerScene): Promise<void> {
  const delay = 60;
  const consumer = await scene.consumer();
  await scene.publish(scene.message());
  let delivery = await scene.takeOne(consumer);
  for (let hop = 1; hop <= 10; hop += 1) {
    const start = monotonicNow();
    await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(messageOf(delivery)), delay });
    delivery = await scene.takeOne(consumer, delay + scene.lateness);
    expect(scene.since(start), `ms until the retry with a delay of ${delay} ms came`).toBeGreaterThanOrEqual(
      delay - rounding,
    );
    expect(messageOf(delivery).hop).toBe(hop);
  }
  await scene.ack(consumer, delivery);
  await scene.expectNothing(consumer, "a retry too many");
}

async function zeroIsAtOnce(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(scene.message());
  for (let hop = 0; hop < 50; hop += 1) {
    const delivery = await scene.takeOne(consumer);
    expect(messageOf(delivery).hop).toBe(hop);
    await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(messageOf(delivery)), delay: 0 });
  }
  expect(messageOf(await scene.takeOne(consumer)).hop).toBe(50);
}

async function countsAnew(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(consumer);
  await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(messageOf(delivery)), delay: 0 });
  expect((await scene.takeOne(consumer)).deliveryCount).toBe(1);
}

/** A worker that died between publishing the next hop and ending the old one leaves both; the next retry must mend it. */
async function alreadyPublished(scene: BrokerScene): Promise<void> {
  const lease = 2 * scene.timing.lease;
  const consumer = await scene.consumer({ lease, window: 1 });
  const message = scene.message();
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  await scene.publish(nextHop(message));
  await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(message), delay: 0 });
  const other = await scene.consumer();
  expectEachOnce(await scene.drain(other, 2 * lease), [nextHop(message)]);
}

async function survivesClose(scene: BrokerScene): Promise<void> {
  const worker = await scene.harness.connect();
  await worker.connect();
  const consumer = await worker.consume(scene.queue, { window: 1, lease: scene.timing.lease });
  const message = scene.message();
  await scene.publish(message);
  const start = monotonicNow();
  const delivery = await scene.takeOne(consumer);
  await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(message), delay: 500 });
  if (scene.broker.admin !== undefined) await scene.expectDepth({ delayed: 1 });
  await consumer.close();
  await worker.close();
  const again = await scene.takeOne(await scene.consumer(), 500 + scene.lateness);
  expect(scene.since(start)).toBeGreaterThanOrEqual(500 - rounding);
  expect(messageOf(again).hop).toBe(1);
}

async function manyAtOnce(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 200 });
  await scene.publish(...scene.messages(200));
  const deliveries = await scene.take(consumer, 200);
  const delayOf = new Map(deliveries.map((delivery, index) => [messageOf(delivery).id, (index % 5) * 60]));
  const start = monotonicNow();
  const settlements = deliveries.map((delivery) => {
    const message = messageOf(delivery);
    return { kind: "retry", delivery, next: nextHop(message), delay: delayOf.get(message.id) ?? 0 } as const;
  });
  await scene.settle(consumer, ...settlements);
  const seen: string[] = [];
  while (seen.length < deliveries.length) {
    const delivery = await scene.takeOne(consumer, 240 + scene.lateness);
    const { id } = messageOf(delivery);
    expect(scene.since(start), "ms until a retry came").toBeGreaterThanOrEqual((delayOf.get(id) ?? 0) - rounding);
    seen.push(id);
  }
  expect(seen.sort()).toEqual(idsOf(deliveries).sort());
}

async function keepsBand(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1 });
  const urgent = scene.message({ priority: 9 });
  await scene.publish(urgent);
  const delivery = await scene.takeOne(consumer);
  const backlog: Message[] = scene.messages(40, { priority: 5 });
  await scene.publish(...backlog);
  await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(urgent), delay: 0 });
  await elapse(scene.capabilities.delayResolution);
  const first: string[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    const taken = await scene.takeOne(consumer);
    first.push(messageOf(taken).id);
    await scene.ack(consumer, taken);
  }
  expect(first, "the first eight, of 40 in a lower band").toContain(urgent.id);
}
