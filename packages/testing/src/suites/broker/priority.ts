import { type Consumer, type Message, monotonicNow, type OutgoingMessage, type QueueDepth } from "@taskferry/core";
import { expect } from "vitest";
import { busyShare, elapse, eventually } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { messageOf } from "./messages.ts";

export const priorityTopic: BrokerTopic = {
  name: "priority",
  needs: ["at-least-once", "priority"],
  rules: [
    { name: "a higher band comes first", check: higherFirst },
    { name: "at least one take in eight is from a lower band that waits", check: oneInEight },
    { name: "no band starves between two others", check: noneStarves },
    { name: "first in, first out within a band, none meaning 4", needs: ["ordering"], check: orderWithinBand },
    { name: "a band that was empty for long has its turn though another is never empty", check: lateBandHasTurn },
    { name: "a batch taken at once keeps the share of the lower band", check: batchKeepsShare },
    { name: "a delayed message joins its band when it is due", needs: ["delay"], check: delayedJoinsBand },
    { name: "of all bands, an idle consumer keeps nothing busy", check: burnsNothing },
    { name: "of any band, the next message comes at once to an idle consumer, in 60 rounds", check: comesAtOnce },
  ],
};

/** Milliseconds for which bands are empty while another is not. */
const longEmpty = 2_500;

/** Milliseconds between two takes for which a consumer keeps what it has fetched. */
const promptly = 50;

/** Takes and acks one by one. */
async function takeInTurn(scene: BrokerScene, count: number): Promise<readonly Message[]> {
  return (await takeAndTime(scene, count)).taken;
}

async function takeAndTime(scene: BrokerScene, count: number) {
  const consumer = await scene.consumer({ window: 1 });
  const taken: Message[] = [];
  let longestPause = 0;
  while (taken.length < count) {
    const delivery = await scene.takeOne(consumer);
    const since = monotonicNow();
    taken.push(messageOf(delivery));
    await scene.ack(consumer, delivery);
    longestPause = Math.max(longestPause, monotonicNow() - since);
  }
  await consumer.close();
  return { taken, longestPause };
}

function countOf(taken: readonly Message[], priority: number): number {
  return taken.filter((message) => message.priority === priority).length;
}

async function higherFirst(scene: BrokerScene): Promise<void> {
  await scene.publish(...scene.messages(20, { priority: 0 }));
  await scene.publish(...scene.messages(20, { priority: 4 }));
  await scene.publish(...scene.messages(20, { priority: 9 }));
  const taken = await takeInTurn(scene, 16);
  expect(countOf(taken, 9), "of 16 taken, those of the highest band").toBeGreaterThanOrEqual(10);
}

async function oneInEight(scene: BrokerScene): Promise<void> {
  await scene.publish(...scene.messages(80, { priority: 9 }), ...scene.messages(40, { priority: 1 }));
  const taken = await takeInTurn(scene, 64);
  expect(countOf(taken, 1), "of 64 taken, those of the lower band").toBeGreaterThanOrEqual(8);
  expect(countOf(taken, 9), "of 64 taken, those of the higher band").toBeGreaterThanOrEqual(40);
}

async function noneStarves(scene: BrokerScene): Promise<void> {
  for (const priority of [8, 5, 2]) await scene.publish(...scene.messages(120, { priority }));
  const taken = await takeInTurn(scene, 128);
  expect(countOf(taken, 2), "of 128 taken, those of the lowest band").toBeGreaterThanOrEqual(1);
  expect(countOf(taken, 5), "of 128 taken, those of the middle band").toBeGreaterThanOrEqual(1);
}

async function lateBandHasTurn(scene: BrokerScene): Promise<void> {
  const consumer = await idleOfAllBands(scene);
  const keepBusy = async (): Promise<readonly Message[]> => {
    await scene.publish(...scene.messages(10, { priority: 5 }));
    const deliveries = await scene.take(consumer, 10);
    await scene.ack(consumer, ...deliveries);
    return deliveries.map(messageOf);
  };
  await scene.publish(...scene.messages(50, { priority: 5 }));
  const start = monotonicNow();
  while (monotonicNow() - start < longEmpty) await keepBusy();
  for (const priority of [1, 9]) {
    await scene.publish(scene.message({ priority }));
    const publishedAt = monotonicNow();
    while (!(await keepBusy()).some((message) => message.priority === priority)) {
      expect(monotonicNow() - publishedAt, "milliseconds until its turn").toBeLessThan(scene.timing.slack / 2);
    }
  }
}

async function orderWithinBand(scene: BrokerScene): Promise<void> {
  const prioritiesOf = [
    [0, 3, 1],
    [4, undefined, 6, 5],
    [7, 9, 8],
  ];
  for (;;) {
    const messages = prioritiesOf.flatMap((band) =>
      Array.from({ length: 12 }, (_, index) => {
        const priority = band[index % band.length];
        return scene.message(priority === undefined ? {} : { priority });
      }),
    );
    await scene.publish(...messages);
    const { taken, longestPause } = await takeAndTime(scene, messages.length);
    // What was fetched beside may have been handed back meanwhile, to the end of its band: nothing is promised then.
    if (longestPause > promptly) continue;
    for (const band of prioritiesOf) {
      const inBand = (message: Message) => band.includes(message.priority);
      expect(taken.filter(inBand).map(({ id }) => id)).toEqual(messages.filter(inBand).map(({ id }) => id));
    }
    return;
  }
}

async function batchKeepsShare(scene: BrokerScene): Promise<void> {
  await scene.publish(...scene.messages(200, { priority: 9 }), ...scene.messages(100, { priority: 0 }));
  const consumer = await scene.consumer({ window: 64 });
  const taken = (await scene.take(consumer, 64)).map(messageOf);
  expect(countOf(taken, 0), "of 64 taken at once, those of the lower band").toBeGreaterThanOrEqual(8);
  expect(countOf(taken, 9), "of 64 taken at once, those of the higher band").toBeGreaterThanOrEqual(40);
}

async function delayedJoinsBand(scene: BrokerScene): Promise<void> {
  const urgent: OutgoingMessage = { message: scene.message({ priority: 9 }), delay: 50 };
  await scene.publish(...scene.messages(40, { priority: 4 }), urgent);
  await elapse(50 + scene.capabilities.delayResolution);
  const isDue = (depth: QueueDepth) => depth.delayed === 0;
  if (scene.inspects("delayed")) await eventually(() => scene.admin.depth(scene.queue), isDue, scene.lateness);
  const taken = await takeInTurn(scene, 9);
  expect(
    taken.map(({ id }) => id),
    "the first nine, of 40 in a lower band",
  ).toContain(urgent.message.id);
}

const bands = [9, 5, 1];

/** A consumer that has had messages of all bands, and has nothing to do. */
async function idleOfAllBands(scene: BrokerScene): Promise<Consumer> {
  const messages = bands.map((priority) => scene.message({ priority }));
  await scene.publish(...messages);
  const consumer = await scene.consumer();
  await scene.ack(consumer, ...(await scene.take(consumer, messages.length)));
  return consumer;
}

async function burnsNothing(scene: BrokerScene): Promise<void> {
  const consumer = await idleOfAllBands(scene);
  const busy = await busyShare(async () => {
    expect(await consumer.take(10, AbortSignal.timeout(300))).toEqual([]);
  });
  expect(busy, "share of time for which an idle take keeps the process busy").toBeLessThan(0.4);
}

async function comesAtOnce(scene: BrokerScene): Promise<void> {
  const consumer = await idleOfAllBands(scene);
  for (let round = 0; round < 60; round += 1) {
    const taking = scene.takeOne(consumer, 2 * scene.timing.slack);
    await elapse(round % 7);
    const start = monotonicNow();
    await scene.publish(scene.message({ priority: bands[round % bands.length] as number }));
    await scene.ack(consumer, await taking);
    expect(monotonicNow() - start, "milliseconds until it came").toBeLessThan(scene.timing.slack / 2);
  }
}
