import { type Message, maxHeaderBytes } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, expectSameMessage, messageOf, settlementsOf } from "./messages.ts";

/** For brokers that keep nothing: a message reaches who is there, and is gone when it was taken. */
export const atMostOnceTopic: BrokerTopic = {
  name: "at most once",
  needs: ["at-most-once"],
  rules: [
    { name: "once consume has resolved, each message arrives, byte by byte", check: arrives },
    { name: "an idle consumer of another process wakes", check: wakes },
    { name: "1,000 messages reach a consumer that has room for them, each once", check: thousandArrive },
    { name: "what nobody listens to is accepted and gone, or refused with NO_RECEIVERS", check: nobodyListens },
    { name: "refuses what is too large per item, and accepts its neighbours", check: refusesTooLarge },
    { name: "take resolves [] when the signal aborts", check: aborts },
    { name: "a consumer never holds more than its window", check: keepsWindow },
    { name: "any settlement is answered, and brings nothing back", check: settlesForNothing },
    { name: "a consumer that has stopped gets nothing", check: stops },
  ],
};

async function arrives(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const headers = { unicode: "é 日本 🚢", breaks: "a\nb", empty: "" };
  const bodies = [Buffer.from([0, 10, 13, 255]), Buffer.alloc(0), Buffer.from("\n\n")];
  const messages = bodies.map((body): Message => scene.message({ body, headers, attempt: 2, run: 1, hop: 3 }));
  await scene.publish(...messages);
  const taken = (await scene.take(consumer, messages.length)).map(messageOf);
  for (const message of messages) {
    const found = taken.find(({ id }) => id === message.id);
    if (found === undefined) throw new Error(`Expected ${message.id} to be delivered.`);
    expectSameMessage(found, message);
  }
}

async function wakes(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ broker: await scene.anotherProcess() });
  const taking = scene.take(consumer, 1);
  await scene.expectPending(taking);
  const message = scene.message();
  await scene.publish(message);
  expectEachOnce(await taking, [message]);
}

async function thousandArrive(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1_000 });
  const messages = scene.messages(1_000);
  await scene.publish(...messages);
  expectEachOnce(await scene.take(consumer, 1_000), messages);
}

async function nobodyListens(scene: BrokerScene): Promise<void> {
  const [result] = await scene.offer([scene.message()]);
  if (result?.status !== "accepted")
    expect(result).toMatchObject({ status: "refused", error: { code: "NO_RECEIVERS" } });
  await scene.expectEmpty("a message that nobody listened to");
}

async function refusesTooLarge(scene: BrokerScene): Promise<void> {
  const { maxMessageBytes } = scene.capabilities;
  expect(maxMessageBytes, "maxMessageBytes").toBeGreaterThan(2 * maxHeaderBytes);
  const consumer = await scene.consumer();
  const [before, after] = [scene.message(), scene.message()];
  const tooLarge = scene.message({ body: Buffer.alloc(Math.min(maxMessageBytes + 1, 2 ** 29)) });
  const results = await scene.offer([before, tooLarge, after]);
  const refusal = { status: "refused", error: { code: "MESSAGE_TOO_LARGE" } };
  expect(results).toMatchObject([{ status: "accepted" }, refusal, { status: "accepted" }]);
  expectEachOnce(await scene.take(consumer, 2), [before, after]);
}

async function aborts(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  expect(await consumer.take(1, AbortSignal.abort())).toEqual([]);
  expect(await consumer.take(1, AbortSignal.timeout(30))).toEqual([]);
  const message = scene.message();
  await scene.publish(message);
  expectEachOnce(await scene.take(consumer, 1), [message]);
}

async function keepsWindow(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 3 });
  await scene.publish(...scene.messages(10));
  const held = await scene.take(consumer, 3);
  expect(await consumer.take(10, AbortSignal.timeout(scene.timing.quiet)), "beyond the window").toEqual([]);
  await scene.ack(consumer, ...held);
  await scene.publish(scene.message());
  await scene.takeOne(consumer);
}

async function settlesForNothing(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(...scene.messages(4));
  const held = await scene.take(consumer, 4);
  const settlements = (["ack", "retry", "reject", "release"] as const).flatMap((kind, place) =>
    held.slice(place, place + 1).map((delivery) => settlementsOf(delivery)[kind]),
  );
  await scene.settle(consumer, ...settlements);
  await scene.expectNothing(consumer, "a message that was settled");
}

async function stops(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const taking = consumer.take(1, new AbortController().signal);
  await consumer.stop();
  expect(await taking).toEqual([]);
  await scene.offer([scene.message()]);
  expect(await consumer.take(1, new AbortController().signal)).toEqual([]);
}
