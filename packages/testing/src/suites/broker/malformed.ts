import type { Delivery } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, rejection } from "./messages.ts";

const header = { v: 1, id: "known-id", run: 0, hop: 0, task: "t", queue: "q", attempt: 0, enqueuedAt: 1 };

const foreign: readonly {
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly code?: string;
  readonly id?: string;
}[] = [
  { what: "text", bytes: Buffer.from("not a message") },
  { what: "no bytes", bytes: Buffer.alloc(0) },
  { what: "bytes that are no UTF-8", bytes: Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0xc3, 0x28]) },
  { what: "JSON of another kind", bytes: Buffer.from('["a","b"]\nbody') },
  { what: "an id of another grammar", bytes: asFrame({ ...header, id: "no spaces" }) },
  { what: "a negative hop", bytes: asFrame({ ...header, hop: -1, contentType: "a/b" }), id: "known-id" },
  { what: "an unknown version", bytes: asFrame({ ...header, v: 2 }), code: "MESSAGE_VERSION_UNKNOWN", id: "known-id" },
  {
    what: "a __proto__ header",
    bytes: Buffer.from(
      `{"__proto__":{"polluted":1},${JSON.stringify({ ...header, contentType: "a/b" }).slice(1)}\nbody`,
    ),
    id: "known-id",
  },
  { what: "headers nested 20,000 deep", bytes: Buffer.from(`${"[".repeat(20_000)}${"]".repeat(20_000)}\nbody`) },
];

export const malformedTopic: BrokerTopic = {
  name: "malformed",
  needs: ["at-least-once", "insertRaw"],
  rules: [
    ...foreign.map(({ what, ...expected }) => ({
      name: `${what} is delivered as malformed, with these very bytes`,
      check: (scene: BrokerScene) => arrivesAsItIs(scene, expected),
    })),
    { name: "neighbours are delivered", check: neighboursArrive },
    {
      name: "reject keeps these very bytes in the dead letters, once, and nothing turns hot",
      needs: ["deadLetters", "dead-inspection"],
      check: rejectedOnce,
    },
    { name: "can be listed while it waits", needs: ["inspection"], check: listed },
    { name: "ack forgets it", check: ackForgets },
    { name: "release keeps it", needs: ["redelivery"], check: releaseKeeps },
    { name: "is delivered again when its lease ends", needs: ["lease", "redelivery"], check: leaseEnds },
  ],
};

function asFrame(record: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(record)}\nbody`);
}

async function insert(scene: BrokerScene, bytes: Uint8Array): Promise<void> {
  await scene.harness.insertRaw?.(scene.queue, bytes);
}

function malformedOf(delivery: Delivery) {
  if (delivery.malformed === undefined)
    throw new Error(`Expected bytes that are no message, got ${delivery.message.id}.`);
  return { ...delivery.malformed, bytes: Buffer.from(delivery.malformed.bytes) };
}

async function arrivesAsItIs(
  scene: BrokerScene,
  expected: { readonly bytes: Uint8Array; readonly code?: string; readonly id?: string },
): Promise<void> {
  await insert(scene, expected.bytes);
  const delivery = await scene.takeOne(await scene.consumer());
  const { bytes, error, id } = malformedOf(delivery);
  expect(bytes).toEqual(Buffer.from(expected.bytes));
  expect(error.code).toBe(expected.code ?? "MESSAGE_MALFORMED");
  expect(id).toBe(expected.id);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
}

async function neighboursArrive(scene: BrokerScene): Promise<void> {
  const [before, after] = [scene.message(), scene.message()];
  await scene.publish(before);
  await insert(scene, Buffer.from("not a message"));
  await insert(scene, Buffer.from("nor is this"));
  await scene.publish(after);
  const taken = await scene.take(await scene.consumer(), 4);
  expectEachOnce(
    taken.filter(({ message }) => message !== undefined),
    [before, after],
  );
  const texts = taken.flatMap((delivery) =>
    delivery.malformed === undefined ? [] : [malformedOf(delivery).bytes.toString()],
  );
  expect(texts.sort()).toEqual(["nor is this", "not a message"]);
}

async function rejectedOnce(scene: BrokerScene): Promise<void> {
  const lease = 2 * scene.timing.lease;
  const consumer = await scene.consumer({ lease });
  for (const { bytes } of foreign) await insert(scene, bytes);
  const deliveries = await scene.take(consumer, foreign.length);
  const reason = rejection("MESSAGE_MALFORMED");
  await scene.settle(consumer, ...deliveries.map((delivery) => ({ kind: "reject", delivery, reason }) as const));
  await scene.expectNothing(consumer, "bytes that were rejected", 2 * lease);
  await scene.expectDepth({ dead: foreign.length });
  const { entries } = await scene.admin.list(scene.queue, { section: "dead", limit: 100 });
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  expect(entries.map(({ bytes }) => hex(bytes)).sort()).toEqual(foreign.map(({ bytes }) => hex(bytes)).sort());
  expect(entries.map((entry) => entry.reason)).toEqual(foreign.map(() => reason));
  expect(entries.map((entry) => entry.message)).toEqual(foreign.map(() => undefined));
}

async function listed(scene: BrokerScene): Promise<void> {
  const bytes = Buffer.from("not a message");
  await insert(scene, bytes);
  await scene.expectDepth({ ready: 1 });
  const { entries } = await scene.admin.list(scene.queue, { section: "ready", limit: 10 });
  expect(entries.map((entry) => Buffer.from(entry.bytes).toString())).toEqual(["not a message"]);
  expect(entries.map((entry) => entry.message)).toEqual([undefined]);
  expect(
    await scene.admin.remove(
      scene.queue,
      "ready",
      entries.map(({ key }) => key),
    ),
  ).toBe(1);
  await scene.expectEmpty("bytes that were removed");
}

async function ackForgets(scene: BrokerScene): Promise<void> {
  await insert(scene, Buffer.from("not a message"));
  const consumer = await scene.consumer({ lease: scene.timing.lease });
  await scene.ack(consumer, await scene.takeOne(consumer));
  await scene.expectNothing(consumer, "bytes that were acked", 2 * scene.timing.lease);
}

async function releaseKeeps(scene: BrokerScene): Promise<void> {
  const bytes = Buffer.from("not\na message");
  await insert(scene, bytes);
  const consumer = await scene.consumer({ window: 1 });
  for (let turn = 0; turn < 50; turn += 1) {
    await scene.settle(consumer, { kind: "release", delivery: await scene.takeOne(consumer) });
  }
  expect(malformedOf(await scene.takeOne(consumer)).bytes).toEqual(bytes);
}

async function leaseEnds(scene: BrokerScene): Promise<void> {
  const bytes = Buffer.from("not a message");
  await insert(scene, bytes);
  const owner = await scene.consumer({ window: 1, lease: scene.timing.lease });
  await scene.takeOne(owner);
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  const again = await scene.takeOne(other, scene.timing.lease + scene.timing.slack);
  expect(malformedOf(again).bytes).toEqual(bytes);
  if (scene.capabilities.deliveryCount !== "refused") expect(again.deliveryCount).toBe(2);
}
