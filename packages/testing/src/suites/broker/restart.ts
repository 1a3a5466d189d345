import {
  type Broker,
  type Consumer,
  type Delivery,
  type Message,
  monotonicNow,
  type SettleResult,
} from "@taskferry/core";
import { expect } from "vitest";
import { eventuallyServed } from "../interruptions.ts";
import { within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { rounding } from "./delay.ts";
import { expectEachOnce, expectSameMessage, idsOf, messageOf, rejection } from "./messages.ts";

export const restartTopic: BrokerTopic = {
  name: "restart",
  needs: ["at-least-once", "restart"],
  rules: [
    { name: "what was accepted is still there, byte by byte", needs: ["durable"], check: acceptedStays },
    { name: "a delay goes on", needs: ["durable", "delay"], check: delayGoesOn },
    {
      name: "dead letters are still there, with their reasons",
      needs: ["durable", "deadLetters", "dead-inspection"],
      check: deadStay,
    },
    {
      name: "what was held can be settled, or is delivered again",
      needs: ["durable", "redelivery"],
      check: heldIsNotLost,
    },
    { name: "what was seen is still known", needs: ["durable", "dedupe"], check: seenIsKnown },
    { name: "a take that waited goes on", check: takeGoesOn },
    {
      name: "under load nothing accepted is lost and nothing is doubled",
      needs: ["durable", "dedupe", "redelivery"],
      check: underLoad,
    },
  ],
};

async function restart(scene: BrokerScene): Promise<void> {
  await scene.harness.restart?.();
}

async function acceptedStays(scene: BrokerScene): Promise<void> {
  const messages = Array.from({ length: 200 }, (_, index) =>
    scene.message({ body: Buffer.from([index % 256, 0, 10, 255]) }),
  );
  await scene.publish(...messages);
  await restart(scene);
  const taken = await scene.take(await consumerAfter(scene, scene.broker), 200, scene.timing.callTimeout);
  expectEachOnce(taken, messages);
  const sent = new Map(messages.map((message) => [message.id, message]));
  for (const message of taken.map(messageOf)) expectSameMessage(message, sent.get(message.id) ?? message);
}

/** A consumer of the scene's queue, as soon as the broker has found its server again. */
async function consumerAfter(scene: BrokerScene, broker: Broker) {
  return eventuallyServed(() => scene.consumer({ broker, window: 200 }), scene);
}

async function delayGoesOn(scene: BrokerScene): Promise<void> {
  const delay = 1_000;
  const message = scene.message();
  const start = monotonicNow();
  await scene.publish({ message, delay });
  await restart(scene);
  const limit = delay + scene.lateness + scene.timing.callTimeout;
  expectEachOnce(await scene.take(await consumerAfter(scene, scene.broker), 1, limit), [message]);
  expect(scene.since(start), `ms until a message with a delay of ${delay} ms came`).toBeGreaterThanOrEqual(
    delay - rounding,
  );
}

async function deadStay(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const message = scene.message();
  await scene.publish(message);
  const reason = rejection();
  await scene.settle(consumer, { kind: "reject", delivery: await scene.takeOne(consumer), reason });
  await restart(scene);
  const { entries } = await eventuallyServed(
    () => scene.admin.list(scene.queue, { section: "dead", limit: 10 }),
    scene,
  );
  expect(entries.map((entry) => entry.reason)).toEqual([reason]);
  expect(entries.map((entry) => entry.message?.id)).toEqual([message.id]);
}

async function heldIsNotLost(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 10, lease: 4 * scene.timing.lease });
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const held = await scene.take(consumer, 10);
  await restart(scene);
  const { answers, isSure } = await settleFinally(scene, consumer, held.slice(0, 5));
  await consumer.close();
  const settled = new Set(idsOf(held.filter((_, index) => answers[index] === "settled")));
  const left = messages.filter(({ id }) => !settled.has(id));
  const other = await consumerAfter(scene, scene.broker);
  const patience = 4 * scene.timing.lease + scene.timing.callTimeout;
  if (isSure) {
    expectEachOnce(await scene.take(other, left.length, patience), left);
    return;
  }
  // What an attempt without an answer was about may be settled, and may come again.
  const back = await scene.drain(other, patience);
  const came = new Set(idsOf(back));
  expect([...came]).toEqual(expect.arrayContaining(idsOf(held.slice(5))));
  expectEachOnce(
    back,
    left.filter(({ id }) => came.has(id)),
  );
}

async function seenIsKnown(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const [waiting, done] = [scene.message(), scene.message()];
  await scene.publish(done);
  await scene.ack(consumer, await scene.takeOne(consumer));
  await consumer.close();
  await scene.publish(waiting);
  await restart(scene);
  const results = await eventuallyServed(() => scene.offer([waiting, done]), scene);
  expect(results).toEqual([{ status: "duplicate" }, { status: "duplicate" }]);
  expectEachOnce(await scene.drainQueue({ atLeast: 1, quiet: 500 }), [waiting]);
}

async function takeGoesOn(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const taking = consumer.take(1, AbortSignal.timeout(3 * scene.timing.callTimeout));
  await scene.expectPending(taking);
  await restart(scene);
  const message = scene.message();
  await eventuallyServed(async () => {
    const [result] = await scene.offer([message]);
    expect(result?.status).toMatch(/^(accepted|duplicate)$/);
  }, scene);
  expectEachOnce(await within(taking, scene.timing.callTimeout, "take to go on after the restart"), [message]);
}

/** Publishes in small batches, each again under the same hop until its answer is final. */
async function publishAll(scene: BrokerScene, messages: readonly Message[]): Promise<void> {
  for (let start = 0; start < messages.length; start += 10) {
    let open = messages.slice(start, start + 10);
    while (open.length > 0) {
      const pending = open;
      const results = await eventuallyServed(() => scene.offer(pending), scene);
      open = pending.filter((_, index) => results[index]?.status === "unknown");
    }
  }
}

/** Takes and acks until each message has been seen. Notes the ids of all that were settled. */
async function work(scene: BrokerScene, consumer: Consumer, seen: Set<string>): Promise<string[]> {
  const settled: string[] = [];
  const limit = AbortSignal.timeout(4 * scene.timing.callTimeout);
  while (seen.size > 0) {
    const deliveries = await consumer.take(20, limit);
    if (limit.aborted) throw new Error(`Expected all messages to be delivered, ${seen.size} were not.`);
    for (const delivery of deliveries) seen.delete(messageOf(delivery).id);
    const { answers } = await settleFinally(scene, consumer, deliveries);
    settled.push(...idsOf(deliveries.filter((_, index) => answers[index] === "settled")));
  }
  return settled;
}

/** Acks again until no answer is unknown. */
function settleFinally(
  scene: BrokerScene,
  consumer: Consumer,
  deliveries: readonly Delivery[],
): Promise<{ readonly answers: readonly SettleResult[]; readonly isSure: boolean }> {
  let isSure = true;
  return eventuallyServed(async () => {
    const answers = await consumer.settle(deliveries.map((delivery) => ({ kind: "ack", delivery }) as const));
    if (!answers.includes("unknown")) return { answers, isSure };
    isSure = false;
    throw new Error("Still unknown.");
  }, scene);
}

async function underLoad(scene: BrokerScene): Promise<void> {
  const lease = 4 * scene.timing.lease;
  const messages = scene.messages(600);
  const consumer = await scene.consumer({ broker: await scene.anotherProcess(), window: 20, lease });
  const unseen = new Set(messages.map(({ id }) => id));
  const working = work(scene, consumer, unseen);
  const publishing = publishAll(scene, messages);
  await restart(scene);
  await publishing;
  const settled = await working;
  await consumer.close();
  const left = await scene.drainQueue({ quiet: lease + 500 });
  const twice = [...settled, ...idsOf(left)].filter((id, index, all) => all.indexOf(id) !== index);
  expect(twice, "messages that were settled twice").toEqual([]);
}
