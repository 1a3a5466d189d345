import type { Broker } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, expectSameMessage, messageOf } from "./messages.ts";

export const crashTopic: BrokerTopic = {
  name: "crash",
  needs: ["at-least-once", "redelivery"],
  rules: [
    { name: "what a crashed worker held is delivered again, each once", check: heldComesBack },
    { name: "what a crashed worker had settled does not come back", check: settledStays },
    { name: "what a crashed worker had buffered comes back too", needs: ["crash"], check: bufferedComesBack },
    { name: "a message survives ten crashes, with its bytes", check: survivesTen },
  ],
};

/** Ends a worker's process without a word: nothing is settled, nothing closed. */
async function crash(scene: BrokerScene, broker: Broker): Promise<void> {
  if (scene.harness.crash !== undefined) return scene.harness.crash(broker);
  if (scene.capabilities.lease !== "refused") return;
  throw new Error("Expected the harness to offer crash, since without leases an abandoned worker keeps what it holds.");
}

/** Milliseconds after which a crashed worker's messages must be back. */
function comeback(scene: BrokerScene): number {
  return scene.timing.lease + scene.timing.slack;
}

async function heldComesBack(scene: BrokerScene): Promise<void> {
  const victim = await scene.anotherProcess();
  const messages = scene.messages(20);
  await scene.publish(...messages);
  const doomed = await scene.consumer({ broker: victim, window: 20, lease: scene.timing.lease });
  expectEachOnce(await scene.take(doomed, 20), messages);
  await crash(scene, victim);
  const survivor = await scene.consumer();
  const back = await scene.take(survivor, 20, comeback(scene));
  expectEachOnce(back, messages);
  if (scene.capabilities.deliveryCount !== "refused") {
    expect(back.map(({ deliveryCount }) => deliveryCount)).toEqual(back.map(() => 2));
  }
  await scene.ack(survivor, ...back);
  await scene.expectNothing(survivor, "messages that were acked", 2 * scene.timing.lease);
}

async function settledStays(scene: BrokerScene): Promise<void> {
  const victim = await scene.anotherProcess();
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const doomed = await scene.consumer({ broker: victim, window: 10, lease: scene.timing.lease });
  const held = await scene.take(doomed, 10);
  await scene.ack(doomed, ...held.slice(0, 4));
  await crash(scene, victim);
  const survivor = await scene.consumer();
  const back = await scene.take(survivor, 6, comeback(scene));
  expectEachOnce(back, held.slice(4).map(messageOf));
  await scene.expectNothing(survivor, "messages that the worker had acked before it crashed", 2 * scene.timing.lease);
}

async function bufferedComesBack(scene: BrokerScene): Promise<void> {
  const victim = await scene.anotherProcess();
  const messages = scene.messages(20);
  await scene.publish(...messages);
  const doomed = await scene.consumer({ broker: victim, window: 20, lease: scene.timing.lease });
  await scene.takeOne(doomed);
  await crash(scene, victim);
  expectEachOnce(await scene.take(await scene.consumer(), 20, comeback(scene)), messages);
}

async function survivesTen(scene: BrokerScene): Promise<void> {
  const message = scene.message({ headers: { kept: "yes" }, body: Buffer.from([0, 10, 255]) });
  await scene.publish(message);
  for (let count = 0; count < 10; count += 1) {
    const victim = await scene.anotherProcess();
    const doomed = await scene.consumer({ broker: victim, window: 1, lease: scene.timing.lease });
    await scene.takeOne(doomed, comeback(scene));
    await crash(scene, victim);
  }
  const delivery = await scene.takeOne(await scene.consumer(), comeback(scene));
  expectSameMessage(messageOf(delivery), message);
  if (scene.capabilities.deliveryCount !== "refused") expect(delivery.deliveryCount).toBe(11);
}
