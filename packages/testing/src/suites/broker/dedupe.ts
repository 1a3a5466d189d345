import type { Message, OutgoingMessage } from "@taskferry/core";
import { expect } from "vitest";
import { elapse } from "../patience.ts";
import { type BrokerScene, longLease } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, messageOf, nextHop, rejection } from "./messages.ts";

/** A dedupe window that the suite waits through, in milliseconds. */
const longestTestedWindow = 2_000;

export const dedupeTopic: BrokerTopic = {
  name: "dedupe",
  needs: ["at-least-once", "dedupe"],
  rules: [
    { name: "publish is idempotent by id:run:hop while the message waits", check: whileItWaits },
    { name: "publish is idempotent by id:run:hop while the message is delayed", needs: ["delay"], check: whileDelayed },
    { name: "publish is idempotent by id:run:hop while a worker holds the message", check: whileHeld },
    { name: "publish is idempotent by id:run:hop after ack, within the window", check: afterAck },
    {
      name: "publish is idempotent by id:run:hop after retry, within the window",
      needs: ["redelivery"],
      check: afterRetry,
    },
    {
      name: "publish is idempotent by id:run:hop after reject, within the window",
      needs: ["deadLetters"],
      check: afterReject,
    },
    { name: "publish is idempotent by id:run:hop from another process", check: fromAnotherProcess },
    { name: "of 40 publishes of one message at the same moment one is accepted", check: atTheSameMoment },
    { name: "a duplicate changes nothing: first bytes and first due time stay", needs: ["delay"], check: firstStays },
    { name: "the same id with another hop or run is another message", check: otherHopOrRun },
    { name: "the window counts from when the message left the queue", check: countsFromLeaving },
  ],
};

async function expectDuplicate(scene: BrokerScene, message: Message | OutgoingMessage): Promise<void> {
  const [result] = await scene.offer([message]);
  expect(result).toEqual({ status: "duplicate" });
}

async function whileItWaits(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  await scene.publish(message);
  await expectDuplicate(scene, message);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}

async function whileDelayed(scene: BrokerScene): Promise<void> {
  const outgoing = { message: scene.message(), delay: 200 };
  await scene.publish(outgoing);
  await expectDuplicate(scene, outgoing);
  await expectDuplicate(scene, outgoing.message);
  const consumer = await scene.consumer();
  await scene.ack(consumer, await scene.takeOne(consumer, 200 + scene.lateness));
  await scene.expectNothing(consumer, "the message a second time");
}

async function whileHeld(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const consumer = await scene.consumer();
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  await expectDuplicate(scene, message);
  await scene.expectNothing(consumer, "the message a second time, while the first is held");
  await scene.ack(consumer, delivery);
  await scene.expectNothing(consumer, "the message a second time");
}

async function afterAck(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const consumer = await scene.consumer();
  await scene.publish(message);
  await scene.ack(consumer, await scene.takeOne(consumer));
  await expectDuplicate(scene, message);
  await scene.expectNothing(consumer, "the message a second time");
}

async function afterRetry(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const consumer = await scene.consumer();
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  await scene.settle(consumer, { kind: "retry", delivery, next: nextHop(message), delay: 0 });
  await expectDuplicate(scene, message);
  await expectDuplicate(scene, nextHop(message));
  expectEachOnce(await scene.drain(consumer), [nextHop(message)]);
}

async function afterReject(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const consumer = await scene.consumer();
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  await scene.settle(consumer, { kind: "reject", delivery, reason: rejection() });
  await expectDuplicate(scene, message);
  await scene.expectNothing(consumer, "the rejected message");
}

async function fromAnotherProcess(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const other = await scene.anotherProcess();
  await scene.publish(message);
  const [result] = await scene.offer([message], other);
  expect(result).toEqual({ status: "duplicate" });
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}

async function atTheSameMoment(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const processes = [scene.broker, await scene.anotherProcess()];
  const calls = Array.from({ length: 20 }, () => processes.map((broker) => scene.offer([message], broker)));
  const results = (await Promise.all(calls.flat())).flat();
  expect(results.filter(({ status }) => status === "accepted")).toHaveLength(1);
  expect(results.filter(({ status }) => status === "duplicate")).toHaveLength(39);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}

async function firstStays(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  await scene.publish(message);
  await expectDuplicate(scene, { message: { ...message, body: Buffer.from("other bytes") }, delay: longLease });
  const delivery = await scene.takeOne(await scene.consumer());
  expect(Buffer.from(messageOf(delivery).body).toString()).toBe(message.id);
}

async function otherHopOrRun(scene: BrokerScene): Promise<void> {
  const message = scene.message();
  const others = [nextHop(message), { ...message, run: 1 }, { ...message, run: 1, hop: 1 }];
  await scene.publish(message, ...others);
  const consumer = await scene.consumer();
  expectEachOnce(await scene.drain(consumer), [message, ...others]);
  const later = [
    { ...message, hop: 2 },
    { ...message, run: 2 },
  ];
  await scene.publish(...later);
  expectEachOnce(await scene.drain(consumer), later);
}

async function countsFromLeaving(scene: BrokerScene): Promise<void> {
  const { dedupeWindow } = scene.capabilities;
  expect(dedupeWindow, "dedupeWindow").toBeGreaterThan(0);
  const message = scene.message();
  const consumer = await scene.consumer();
  await scene.publish(message);
  // A window that is too long to wait through is entered at its beginning, which is all that a test can see of it.
  if (dedupeWindow <= longestTestedWindow) await elapse(dedupeWindow + 100);
  await expectDuplicate(scene, message);
  await scene.ack(consumer, await scene.takeOne(consumer));
  await expectDuplicate(scene, message);
  await scene.expectNothing(consumer, "the message a second time");
}
