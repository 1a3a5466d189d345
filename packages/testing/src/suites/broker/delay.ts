import { type Consumer, type Delivery, monotonicNow, type OutgoingMessage } from "@taskferry/core";
import { expect } from "vitest";
import { busyShare, elapse } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, idsOf, messageOf } from "./messages.ts";

/** Clocks of whole milliseconds may round a time down, once when it is set and once when it is compared. */
export const rounding = 2;
/** Longer than a timer of Node can count, in milliseconds. */
const fortyDays = 40 * 24 * 3_600_000;

export const delayTopic: BrokerTopic = {
  name: "delay",
  needs: ["at-least-once", "delay"],
  rules: [
    { name: "never early, and late by no more than delayResolution on an idle machine", check: neverEarly },
    { name: "a delay of 0 is no delay", check: zeroIsNone },
    { name: "delayed messages come in the order in which they are due", check: inOrderOfDueTime },
    { name: "what is not delayed goes by", check: othersGoBy },
    { name: "an idle consumer wakes when a message is due, though its publisher is gone", check: wakesIdle },
    { name: "a shorter delay that is published later still comes first", check: shorterComesFirst },
    { name: "a delay of 40 days does not overflow into none", check: noOverflow },
    { name: "a delayed message reaches one of several consumers, once", needs: ["one-receiver"], check: reachesOne },
    { name: "1,000 messages due at the same moment all arrive, each once", check: thousandDue },
  ],
};

/** Takes until all are there and says how many milliseconds after `start` each arrived. */
async function arrivals(
  scene: BrokerScene,
  consumer: Consumer,
  expected: { readonly count: number; readonly start: number; readonly limit: number },
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  while (found.size < expected.count) {
    const delivery = await scene.takeOne(consumer, expected.limit);
    found.set(messageOf(delivery).id, scene.since(expected.start));
    await scene.ack(consumer, delivery);
  }
  return found;
}

async function neverEarly(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const delays = [50, 100, 150, 225, 330, 401];
  const outgoing = delays.map((delay): OutgoingMessage => ({ message: scene.message(), delay }));
  const start = monotonicNow();
  await scene.publish(...outgoing);
  const published = scene.since(start);
  const found = await arrivals(scene, consumer, { count: delays.length, start, limit: 500 + scene.lateness });
  for (const { message, delay = 0 } of outgoing) {
    const arrival = found.get(message.id);
    expect(arrival, `ms until a message with a delay of ${delay} ms arrived`).toBeGreaterThanOrEqual(delay - rounding);
    expect(arrival, `ms until a message with a delay of ${delay} ms arrived`).toBeLessThan(
      published + delay + scene.lateness,
    );
  }
}

async function zeroIsNone(scene: BrokerScene): Promise<void> {
  const outgoing = [{ message: scene.message(), delay: 0 }, { message: scene.message() }];
  await scene.publish(...outgoing);
  if (scene.broker.admin !== undefined) await scene.expectDepth({ ready: 2 });
  expectEachOnce(
    await scene.drainQueue({ atLeast: 2 }),
    outgoing.map(({ message }) => message),
  );
}

async function inOrderOfDueTime(scene: BrokerScene): Promise<void> {
  const step = Math.max(80, 2 * scene.capabilities.delayResolution);
  const outgoing = [4, 1, 3, 2].map((rank): OutgoingMessage => ({ message: scene.message(), delay: rank * step }));
  await scene.publish(...outgoing);
  const consumer = await scene.consumer({ window: 1 });
  const limit = 4 * step + scene.lateness;
  const found = await arrivals(scene, consumer, { count: 4, start: monotonicNow(), limit });
  const due = outgoing.toSorted((a, b) => (a.delay ?? 0) - (b.delay ?? 0)).map(({ message }) => message.id);
  expect([...found.keys()]).toEqual(due);
}

async function othersGoBy(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const delayed = scene.message();
  const others = scene.messages(3);
  const start = monotonicNow();
  await scene.publish({ message: delayed, delay: 400 }, ...others);
  const before = await scene.take(consumer, 3);
  expectEachOnce(before, others);
  await scene.ack(consumer, ...before);
  expect(idsOf([await scene.takeOne(consumer, 400 + scene.lateness)])).toEqual([delayed.id]);
  expect(scene.since(start)).toBeGreaterThanOrEqual(400 - rounding);
}

async function wakesIdle(scene: BrokerScene): Promise<void> {
  const publisher = await scene.harness.connect();
  await publisher.connect();
  const consumer = await scene.consumer();
  const message = scene.message();
  const taking = scene.take(consumer, 1, 250 + scene.lateness);
  await scene.offer([{ message, delay: 250 } as OutgoingMessage], publisher);
  await publisher.close();
  expectEachOnce(await taking, [message]);
}

async function shorterComesFirst(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish({ message: scene.message(), delay: 50_000 });
  const taking = scene.take(consumer, 1, 200 + scene.lateness);
  await scene.expectPending(taking);
  const shorter = scene.message();
  await scene.publish({ message: shorter, delay: 200 });
  expectEachOnce(await taking, [shorter]);
}

async function noOverflow(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish({ message: scene.message(), delay: fortyDays });
  await scene.expectNothing(consumer, "a message with a delay of 40 days");
  const busy = await busyShare(() => elapse(150));
  expect(busy, "share of time for which it keeps the process busy").toBeLessThan(0.5);
  if (scene.broker.admin !== undefined) await scene.expectDepth({ delayed: 1 });
}

async function reachesOne(scene: BrokerScene): Promise<void> {
  const other = await scene.anotherProcess();
  const consumers = [await scene.consumer(), await scene.consumer(), await scene.consumer({ broker: other })];
  const messages = scene.messages(20);
  await scene.publish(...messages.map((message): OutgoingMessage => ({ message, delay: 150 })));
  const quiet = 150 + scene.capabilities.delayResolution + 500;
  const drained = await Promise.all(consumers.map((consumer) => scene.drain(consumer, quiet)));
  expectEachOnce(drained.flat(), messages);
}

async function thousandDue(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(1_000);
  await scene.publish(...messages.map((message): OutgoingMessage => ({ message, delay: 200 })));
  const consumer = await scene.consumer({ window: 1_000 });
  const taken: Delivery[] = await scene.take(consumer, messages.length, 200 + 2 * scene.lateness);
  expectEachOnce(taken, messages);
  await scene.ack(consumer, ...taken);
}
