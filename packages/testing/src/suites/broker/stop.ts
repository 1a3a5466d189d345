import { expect } from "vitest";
import { within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, idsOf } from "./messages.ts";

export const stopTopic: BrokerTopic = {
  name: "stop",
  needs: ["at-least-once"],
  rules: [
    { name: "a take that waits resolves [], and so does every later one", check: takeEnds },
    { name: "hands back at once what was fetched but not taken, uncounted", check: handsBack },
    { name: "what was taken before can still be extended and settled", check: settleGoesOn },
    { name: "drops nothing when a message and the stop come at the same moment", check: dropsNothing },
    { name: "twice, and after close, does nothing", check: twice },
    {
      name: "close gives up what is unsettled: it is delivered again when its lease ends, or before",
      needs: ["redelivery"],
      check: closeGivesUp,
    },
    { name: "take rejects with CLOSED after close, and one that waits ends", check: closeEndsTake },
    { name: "close by `await using`, and twice, does no harm", check: closeTwice },
  ],
};

async function takeEnds(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const never = new AbortController().signal;
  const taking = consumer.take(1, never);
  await scene.expectPending(taking);
  await consumer.stop();
  expect(await within(taking, scene.timing.slack, "take to end after stop")).toEqual([]);
  const message = scene.message();
  await scene.publish(message);
  expect(await within(consumer.take(1, never), scene.timing.slack, "take after stop")).toEqual([]);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}

async function handsBack(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(30);
  await scene.publish(...messages);
  const consumer = await scene.consumer({ window: 30 });
  const first = await scene.takeOne(consumer);
  await consumer.stop();
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  const rest = await scene.take(other, 29);
  expectEachOnce([first, ...rest], messages);
  if (scene.capabilities.deliveryCount !== "refused") {
    expect(rest.map(({ deliveryCount }) => deliveryCount)).toEqual(rest.map(() => 1));
  }
}

async function settleGoesOn(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(...scene.messages(3));
  const held = await scene.take(consumer, 3);
  await consumer.stop();
  expect(await consumer.extend(held), "lost after stop").toEqual([]);
  await scene.ack(consumer, ...held);
  await consumer.close();
  await scene.expectEmpty("messages that were acked after stop");
}

async function dropsNothing(scene: BrokerScene): Promise<void> {
  for (let round = 0; round < 15; round += 1) {
    const consumer = await scene.consumer();
    const message = scene.message();
    const taking = consumer.take(1, new AbortController().signal);
    const publishing = scene.publish(message);
    if (round % 3 === 0) await publishing;
    if (round % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
    const stopping = consumer.stop();
    await publishing;
    const taken = await within(taking, scene.timing.slack, "take to end after stop");
    await stopping;
    await scene.ack(consumer, ...taken);
    await consumer.close();
    if (taken.length > 0) expect(idsOf(taken)).toEqual([message.id]);
    else expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
  }
}

async function twice(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await Promise.all([consumer.stop(), consumer.stop()]);
  await consumer.stop();
  await consumer.close();
  await consumer.stop();
}

async function closeGivesUp(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const consumer = await scene.consumer({ window: 10, lease: scene.timing.lease });
  await scene.take(consumer, 4);
  await consumer.close();
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  expectEachOnce(await scene.take(other, 10, scene.timing.lease + scene.timing.slack), messages);
}

async function closeEndsTake(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const never = new AbortController().signal;
  const [ended] = await Promise.all([
    within(Promise.allSettled([consumer.take(1, never)]), scene.timing.slack, "take to end after close"),
    consumer.close(),
  ]);
  expect(ended).toMatchObject([ended[0].status === "fulfilled" ? { value: [] } : { reason: { code: "CLOSED" } }]);
  await expect(within(consumer.take(1, never), scene.timing.slack, "take after close")).rejects.toMatchObject({
    code: "CLOSED",
  });
}

async function closeTwice(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const message = scene.message();
  await consumer[Symbol.asyncDispose]();
  await consumer.close();
  await Promise.all([consumer.close(), consumer[Symbol.asyncDispose]()]);
  await scene.publish(message);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}
