import { type Message, maxHeaderBytes } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { createMessage, expectEachOnce, expectSameMessage, messageOf } from "./messages.ts";

/** A limit above which the suite does not build messages to test it. */
const largestTestedMessage = 64 * 1024 * 1024;

export const publishTopic: BrokerTopic = {
  name: "publish",
  needs: ["at-least-once"],
  rules: [
    { name: "an empty batch is answered by []", check: answersNothing },
    { name: "answers per item and in order", needs: ["dedupe"], check: answersInOrder },
    { name: "refuses what is too large per item, and accepts its neighbours", check: refusesTooLarge },
    { name: "bytes, headers and fields survive exactly", check: bytesSurvive },
    { name: "a large body survives exactly", check: largeBodySurvives },
    { name: "each message goes to the queue that it names", check: reachesItsQueue },
    { name: "names and ids at the ends of their grammar never meet", check: namesNeverMeet },
    { name: "500 calls at the same moment are each answered", check: manyCalls },
    { name: "a batch of 1,000 arrives, each once", check: thousandArrive },
  ],
};

async function answersNothing(scene: BrokerScene): Promise<void> {
  expect(await scene.offer([])).toEqual([]);
}

async function answersInOrder(scene: BrokerScene): Promise<void> {
  const [known, first, second] = [scene.message(), scene.message(), scene.message()];
  await scene.publish(known);
  const results = await scene.offer([first, known, second, first]);
  expect(results.map(({ status }) => status)).toEqual(["accepted", "duplicate", "accepted", "duplicate"]);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [known, first, second]);
}

async function refusesTooLarge(scene: BrokerScene): Promise<void> {
  const { maxMessageBytes } = scene.capabilities;
  expect(maxMessageBytes, "maxMessageBytes").toBeGreaterThan(2 * maxHeaderBytes);
  if (maxMessageBytes > largestTestedMessage) return refusesNothingBelow(scene);
  const [before, after] = [scene.message(), scene.message()];
  const tooLarge = scene.message({ body: Buffer.alloc(maxMessageBytes + 1) });
  const results = await scene.offer([before, tooLarge, after]);
  expect(results).toMatchObject([
    { status: "accepted" },
    { status: "refused", error: { code: "MESSAGE_TOO_LARGE", retryable: false } },
    { status: "accepted" },
  ]);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [before, after]);
}

/** The limit is too high to be reached in a test; what can be seen is that a message of 8 MiB is below it. */
async function refusesNothingBelow(scene: BrokerScene): Promise<void> {
  const large = scene.message({ body: Buffer.alloc(8 * 1024 * 1024, 7) });
  await scene.publish(large);
  expectSameMessage(messageOf(await scene.takeOne(await scene.consumer())), large);
}

async function bytesSurvive(scene: BrokerScene): Promise<void> {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const full: Partial<Message> = {
    run: 3,
    hop: 7,
    attempt: 2,
    enqueuedAt: 1_700_000_000_123,
    notBefore: 1_700_000_000_456,
    expiresAt: 4_000_000_000_000,
    contentType: "application/vnd.example+json",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "vendor=value,other=thing",
    signature: "c2lnbmF0dXJl",
    policy: { attempts: 3, backoff: { from: 10, to: 1_000 }, timeout: 5_000, acknowledge: "executed" },
    headers: { plain: "value", unicode: "é 日本 🚢", breaks: "a\r\nb\tc\0d", quote: '"\\', empty: "" },
  };
  const bodies = [everyByte, Buffer.alloc(0), Buffer.from("\n"), Buffer.from("\n\n{}\n"), Buffer.from([0xff, 0xfe, 0])];
  const sent = bodies.map((body) => scene.message({ ...full, body }));
  await scene.publish(...sent);
  const taken = await scene.take(await scene.consumer(), sent.length);
  for (const message of sent) {
    const delivery = taken.find((candidate) => candidate.message?.id === message.id);
    expectSameMessage(messageOf(delivery ?? failMissing(message)), message);
  }
}

async function largeBodySurvives(scene: BrokerScene): Promise<void> {
  const size = Math.min(1024 * 1024, scene.capabilities.maxMessageBytes - 2 * maxHeaderBytes);
  const body = Buffer.from(Array.from({ length: size }, (_, index) => (index * 31) % 251));
  const message = scene.message({ body });
  await scene.publish(message);
  expectSameMessage(messageOf(await scene.takeOne(await scene.consumer())), message);
}

async function reachesItsQueue(scene: BrokerScene): Promise<void> {
  const queues = [scene.newQueue(), scene.newQueue(), scene.newQueue()];
  const messages = queues.flatMap((queue) => [createMessage({ queue }), createMessage({ queue })]);
  await scene.publish(...messages);
  for (const queue of queues) {
    const taken = await scene.drain(await scene.consumer({ queue }));
    expectEachOnce(
      taken,
      messages.filter((message) => message.queue === queue),
    );
  }
}

async function namesNeverMeet(scene: BrokerScene): Promise<void> {
  const base = scene.newQueue();
  const queues = [
    base,
    base.toUpperCase(),
    `${base}.x`,
    `${base}-x`,
    `${base}_x`,
    `${base}.ready`,
    base.padEnd(100, "z"),
  ];
  const ids = ["a", "A", "a:0", "a:0:0", "a.b", "a-b", "a_b", "0".padEnd(200, "1")];
  const messages = queues.flatMap((queue) => ids.map((id) => createMessage({ queue, id })));
  await scene.publish(...messages);
  for (const queue of queues) {
    const taken = await scene.drain(await scene.consumer({ queue }));
    expectEachOnce(
      taken,
      messages.filter((message) => message.queue === queue),
    );
  }
}

async function manyCalls(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(500);
  const results = await Promise.all(messages.map((message) => scene.offer([message])));
  expect(results.flat().map(({ status }) => status)).toEqual(messages.map(() => "accepted"));
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), messages);
}

async function thousandArrive(scene: BrokerScene): Promise<void> {
  const messages = scene.messages(1_000);
  await scene.publish(...messages);
  expectEachOnce(await scene.drain(await scene.consumer({ window: 1_000 })), messages);
}

function failMissing(message: Message): never {
  throw new Error(`Expected ${message.id} to be delivered.`);
}
