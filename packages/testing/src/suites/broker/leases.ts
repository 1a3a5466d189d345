import { type Delivery, monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { elapse, isSettled } from "../patience.ts";
import { type BrokerScene, longLease } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { rounding } from "./delay.ts";
import { expectSameMessage, idsOf, messageOf } from "./messages.ts";

export const leasesTopic: BrokerTopic = {
  name: "leases",
  needs: ["at-least-once", "lease", "redelivery"],
  rules: [
    { name: "leaseUntil is on the clock of monotonicNow, counted from before the request", check: onItsClock },
    { name: "a delivery after a long wait carries a full lease", check: fullAfterWait },
    { name: "a message is not delivered again before leaseUntil", check: notBeforeItsEnd },
    { name: "when a lease ends, the message is delivered again with deliveryCount + 1", check: endsInRedelivery },
    { name: "an idle consumer wakes when another's lease ends", check: wakesAtEnd },
    { name: "extend renews to a full lease from now, again and again", check: extendRenews },
    { name: "extend reports what is lost and renews the rest", check: extendReportsLost },
    { name: "extend reports what is settled as lost", check: extendAfterSettle },
    { name: "extend renews 500 at once", check: extendsMany },
    {
      name: "a settlement between the end of a lease and its redelivery is answered truthfully",
      check: truthfulInBetween,
    },
    { name: "each consumer's leases have its own length", check: ownLength },
    { name: "what is buffered but not taken keeps its lease", check: bufferKeepsLease },
    { name: "a lost delivery frees its place in the window", check: lostFreesPlace },
  ],
};

async function onItsClock(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ lease: longLease });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(consumer);
  const now = monotonicNow();
  expect(delivery.leaseUntil, "leaseUntil").toBeGreaterThan(now + longLease / 2);
  expect(delivery.leaseUntil, "leaseUntil").toBeLessThanOrEqual(now + longLease);
}

async function fullAfterWait(scene: BrokerScene): Promise<void> {
  const lease = 20_000;
  const consumer = await scene.consumer({ lease });
  const taking = scene.takeOne(consumer);
  await elapse(1_200);
  const published = monotonicNow();
  await scene.publish(scene.message());
  const delivery = await taking;
  expect(delivery.leaseUntil, "leaseUntil").toBeGreaterThan(published + lease - 1_000);
}

async function notBeforeItsEnd(scene: BrokerScene): Promise<void> {
  const { lease } = scene.timing;
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  for (let round = 0; round < 3; round += 1) {
    const owner = await scene.consumer({ window: 1, lease });
    await scene.publish(scene.message());
    const { leaseUntil } = await scene.takeOne(owner);
    const again = await scene.takeOne(other, lease + scene.timing.slack);
    expect(monotonicNow(), "redelivery").toBeGreaterThanOrEqual((leaseUntil ?? Number.NaN) - rounding);
    await scene.ack(other, again);
  }
}

async function endsInRedelivery(scene: BrokerScene): Promise<void> {
  const { lease, slack } = scene.timing;
  const message = scene.message({ headers: { kept: "yes" } });
  await scene.publish(message);
  const counted = scene.capabilities.deliveryCount !== "refused";
  for (const count of [1, 2, 3]) {
    const consumer = await scene.consumer({ window: 1, lease: count < 3 ? lease : longLease });
    const delivery = await scene.takeOne(consumer, lease + slack);
    expectSameMessage(messageOf(delivery), message);
    expect(delivery.deliveryCount, "deliveryCount").toBe(counted ? count : undefined);
    if (count === 3) await scene.ack(consumer, delivery);
  }
  const consumer = await scene.consumer();
  await scene.expectNothing(consumer, "the message after its ack", 2 * lease);
}

async function wakesAtEnd(scene: BrokerScene): Promise<void> {
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  const owner = await scene.consumer({ lease: scene.timing.lease });
  await scene.publish(scene.message());
  const first = await scene.takeOne(owner);
  const taking = scene.take(other, 1, scene.timing.lease + scene.timing.slack);
  expect(idsOf(await taking)).toEqual(idsOf([first]));
}

async function extendRenews(scene: BrokerScene): Promise<void> {
  const lease = 4 * scene.timing.lease;
  const owner = await scene.consumer({ window: 1, lease });
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(owner);
  const signal = AbortSignal.timeout(Math.ceil(1.5 * lease));
  const stealing = other.take(1, signal);
  while (!signal.aborted) {
    const before = delivery.leaseUntil ?? Number.NaN;
    expect(await owner.extend([delivery]), "lost while it is renewed").toEqual([]);
    const now = monotonicNow();
    expect(delivery.leaseUntil, "leaseUntil after extend").toBeGreaterThanOrEqual(before);
    expect(delivery.leaseUntil, "leaseUntil after extend").toBeGreaterThan(now);
    expect(delivery.leaseUntil, "leaseUntil after extend").toBeLessThanOrEqual(now + lease);
    await elapse(lease / 8);
  }
  expect(await stealing, "delivered to another while it is renewed").toEqual([]);
  await scene.ack(owner, delivery);
}

async function extendReportsLost(scene: BrokerScene): Promise<void> {
  const lease = 4 * scene.timing.lease;
  const owner = await scene.consumer({ window: 3, lease });
  const other = await scene.consumer({ broker: await scene.anotherProcess(), window: 1 });
  await scene.publish(...scene.messages(3));
  const held = await scene.take(owner, 3);
  const [lost, renewed] = [held.slice(1, 2), [...held.slice(0, 1), ...held.slice(2)]];
  const stealing = scene.takeOne(other, lease + scene.timing.slack);
  do {
    expect(await owner.extend(renewed), "lost while they are renewed").toEqual([]);
    await elapse(lease / 8);
  } while (!(await isSettled(stealing)));
  const answer = await owner.extend(held);
  expect(answer.length, "deliveries reported as lost").toBe(1);
  expect(answer[0], "the very delivery that was given").toBe(lost[0]);
  const stolen = await stealing;
  expect(await other.extend([stolen]), "lost by its new owner").toEqual([]);
  await scene.ack(other, stolen);
  await scene.ack(owner, ...renewed);
}

async function extendAfterSettle(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(...scene.messages(2));
  const both = await scene.take(consumer, 2);
  await scene.ack(consumer, ...both.slice(0, 1));
  expect(await consumer.extend(both)).toEqual(both.slice(0, 1));
}

async function extendsMany(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 500, lease: 20_000 });
  await scene.publish(...scene.messages(500));
  const deliveries = await scene.take(consumer, 500);
  const before = monotonicNow();
  expect(await consumer.extend(deliveries)).toEqual([]);
  expect(await consumer.extend([])).toEqual([]);
  const shortest = Math.min(...deliveries.map(({ leaseUntil }) => leaseUntil ?? Number.NaN));
  expect(shortest, "the earliest leaseUntil").toBeGreaterThanOrEqual(before + 20_000 - rounding);
  await scene.ack(consumer, ...deliveries);
}

async function truthfulInBetween(scene: BrokerScene): Promise<void> {
  const { lease, slack } = scene.timing;
  const owner = await scene.consumer({ window: 1, lease });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(owner);
  await elapse(2 * lease);
  const [answer] = await owner.settle([{ kind: "ack", delivery }]);
  expect(answer, "answer of settle").toMatch(/^(settled|lost)$/);
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  if (answer === "settled") return scene.expectNothing(other, "a message that is settled", 2 * lease);
  expect(idsOf([await scene.takeOne(other, lease + slack)])).toEqual(idsOf([delivery]));
}

async function ownLength(scene: BrokerScene): Promise<void> {
  const { lease } = scene.timing;
  const long = await scene.consumer({ lease: longLease });
  const short = await scene.consumer({ broker: await scene.anotherProcess(), lease });
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(long);
  await scene.expectNothing(short, "a message whose lease lasts a minute", 4 * lease);
  await scene.ack(long, delivery);
}

/** A broker may fetch ahead or not. Whichever it does, what is taken late is taken for the first time, with a lease. */
async function bufferKeepsLease(scene: BrokerScene): Promise<void> {
  const lease = 4 * scene.timing.lease;
  const consumer = await scene.consumer({ lease, window: 10 });
  await scene.publish(...scene.messages(10));
  const first = await scene.takeOne(consumer);
  const end = monotonicNow() + 1.5 * lease;
  while (monotonicNow() < end) {
    expect(await consumer.extend([first]), "lost while it is renewed").toEqual([]);
    await elapse(lease / 8);
  }
  const rest: Delivery[] = await scene.take(consumer, 9);
  const now = monotonicNow();
  expect(new Set(idsOf([first, ...rest])).size, "different messages").toBe(10);
  for (const { deliveryCount = 1, leaseUntil } of rest) {
    expect(deliveryCount, "deliveryCount of what is taken for the first time").toBe(1);
    expect(leaseUntil, "leaseUntil of what was buffered").toBeGreaterThan(now);
  }
}

async function lostFreesPlace(scene: BrokerScene): Promise<void> {
  const { lease, slack } = scene.timing;
  const owner = await scene.consumer({ lease, window: 1 });
  const other = await scene.consumer({ broker: await scene.anotherProcess(), window: 1 });
  await scene.publish(scene.message());
  const lost = await scene.takeOne(owner);
  const stolen = await scene.takeOne(other, lease + slack);
  expect(await owner.extend([lost])).toEqual([lost]);
  const next = scene.message();
  await scene.publish(next);
  expect(idsOf([await scene.takeOne(owner)])).toEqual([next.id]);
  await scene.ack(other, stolen);
}
