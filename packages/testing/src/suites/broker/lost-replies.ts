import type { Consumer, Settlement, SettleResult } from "@taskferry/core";
import { expect } from "vitest";
import { eventuallyServed } from "../interruptions.ts";
import { within } from "../patience.ts";
import type { BrokerOperation } from "./broker-harness.ts";
import { type BrokerScene, longLease } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, messageOf, nextHop, rejection, settlementsOf, sortedKeys } from "./messages.ts";

export const lostRepliesTopic: BrokerTopic = {
  name: "lost reply",
  needs: ["at-least-once", "cutNextReply"],
  rules: [
    { name: "of publish: no message is doubled, none lost", needs: ["dedupe"], check: ofPublish },
    {
      name: "of publish with a delay: no message is doubled, none lost",
      needs: ["dedupe", "delay"],
      check: ofDelayedPublish,
    },
    { name: "of take: no message is lost, none is held twice", needs: ["redelivery"], check: ofTake },
    { name: "of extend: the delivery is still its owner's", needs: ["lease"], check: ofExtend },
    { name: "of ack: the message is gone", check: ofAck },
    { name: "of retry: the next hop is there, once", needs: ["redelivery"], check: ofRetry },
    { name: "of reject: the dead letter is there, once", needs: ["deadLetters", "dead-inspection"], check: ofReject },
    { name: "of release: the message is there, once", needs: ["redelivery"], check: ofRelease },
  ],
};

async function cutNextReply(scene: BrokerScene, operation: BrokerOperation): Promise<void> {
  await scene.harness.cutNextReply?.(operation);
}

async function ofPublish(scene: BrokerScene): Promise<void> {
  for (const count of [1, 5, 100]) {
    const messages = scene.messages(count);
    await cutNextReply(scene, "publish");
    await publishFinally(
      scene,
      messages.map((message) => ({ message })),
    );
    expectEachOnce(await scene.drainQueue({ atLeast: 1, quiet: 500 }), messages);
  }
}

async function ofDelayedPublish(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(5);
  await cutNextReply(scene, "publish");
  await publishFinally(
    scene,
    messages.map((message) => ({ message, delay: 200 })),
  );
  const consumer = await scene.consumer();
  expectEachOnce(await scene.take(consumer, 5, 200 + scene.lateness), messages);
  await scene.expectNothing(consumer, "a second copy", 500);
}

/** Publishes what has no final answer yet again, under the same hop. */
async function publishFinally(scene: BrokerScene, outgoing: Parameters<BrokerScene["offer"]>[0]): Promise<void> {
  let open = outgoing;
  while (open.length > 0) {
    const pending = open;
    const results = await eventuallyServed(() => scene.offer(pending), scene);
    for (const { status } of results) expect(status).toMatch(/^(accepted|duplicate|unknown)$/);
    open = pending.filter((_, index) => results[index]?.status === "unknown");
  }
}

/** What the server leased before its reply was lost comes back at the latest when that lease ends. */
async function ofTake(scene: BrokerScene): Promise<void> {
  const lease = 4 * scene.timing.lease;
  const messages = scene.messages(30);
  await scene.publish(...messages);
  const consumer = await scene.consumer({ window: 10, lease });
  await cutNextReply(scene, "take");
  const settled: string[] = [];
  while (settled.length < messages.length) {
    const deliveries = await scene.take(consumer, 1, lease + scene.timing.callTimeout);
    const answers = await settleFinally(
      scene,
      consumer,
      deliveries.map((delivery) => ({ kind: "ack", delivery })),
    );
    settled.push(
      ...deliveries.filter((_, index) => answers[index] === "settled").map((delivery) => messageOf(delivery).id),
    );
  }
  expect(settled.toSorted()).toEqual(messages.map(({ id }) => id).sort());
  await scene.expectNothing(consumer, "a message that was acked", lease + 500);
}

async function ofExtend(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(...scene.messages(3));
  const deliveries = await scene.take(consumer, 3);
  await cutNextReply(scene, "extend");
  const extending = within(consumer.extend(deliveries), scene.timing.callTimeout, "extend to end");
  const [first] = await Promise.allSettled([extending]);
  expect(first).toMatchObject(
    first.status === "fulfilled" ? { value: [] } : { reason: { code: "BROKER_UNAVAILABLE" } },
  );
  expect(await eventuallyServed(() => consumer.extend(deliveries), scene)).toEqual([]);
  await scene.ack(consumer, ...deliveries);
}

/** Settles while the reply is cut, and again until no answer is unknown. */
async function settleFinally(
  scene: BrokerScene,
  consumer: Consumer,
  settlements: readonly Settlement[],
): Promise<readonly SettleResult[]> {
  return eventuallyServed(async () => {
    const answers = await consumer.settle(settlements);
    if (answers.includes("unknown")) throw new Error("Still unknown.");
    return answers;
  }, scene);
}

/** Takes `count` messages and settles them with a reply that is lost. */
async function settleWithLostReply(scene: BrokerScene, kind: Settlement["kind"], count: number) {
  const consumer = await scene.consumer({ window: count, lease: longLease });
  const messages = scene.messages(count);
  await scene.publish(...messages);
  const deliveries = await scene.take(consumer, count);
  await cutNextReply(scene, "settle");
  const answers = await settleFinally(
    scene,
    consumer,
    deliveries.map((delivery) => settlementsOf(delivery)[kind]),
  );
  // The first time settled it, the second time may find it so.
  for (const answer of answers) expect(answer).toMatch(/^(settled|lost)$/);
  await consumer.close();
  return messages;
}

async function ofAck(scene: BrokerScene): Promise<void> {
  await settleWithLostReply(scene, "ack", 20);
  if (scene.broker.admin !== undefined) await scene.expectDepth({});
  await scene.expectEmpty("messages that were acked", 500);
}

async function ofRetry(scene: BrokerScene): Promise<void> {
  const messages = await settleWithLostReply(scene, "retry", 20);
  const drained = (await scene.drainQueue({ atLeast: 1, quiet: 500 })).map(messageOf);
  expect(sortedKeys(drained)).toEqual(sortedKeys(messages.map((message) => nextHop(message))));
}

async function ofReject(scene: BrokerScene): Promise<void> {
  const messages = await settleWithLostReply(scene, "reject", 20);
  await scene.expectDepth({ dead: 20 });
  const { entries } = await scene.admin.list(scene.queue, { section: "dead", limit: 100 });
  expect(entries.map((entry) => entry.message?.id).sort()).toEqual(messages.map(({ id }) => id).sort());
  expect(entries.map((entry) => entry.reason?.code)).toEqual(messages.map(() => rejection().code));
}

async function ofRelease(scene: BrokerScene): Promise<void> {
  const messages = await settleWithLostReply(scene, "release", 20);
  expectEachOnce(await scene.drainQueue({ atLeast: 1, quiet: 500 }), messages);
}
