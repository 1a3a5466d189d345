import type { Connectable, Delivery, Settlement } from "@taskferry/core";
import { expect } from "vitest";
import { createOutcome } from "../results/outcomes.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { idsOf, messageOf, nextHop, settlementsOf } from "./messages.ts";

const supports = [
  "durable",
  "delay",
  "priority",
  "ordering",
  "redelivery",
  "lease",
  "deliveryCount",
  "deadLetters",
  "dedupe",
  "inspection",
] as const;

/** What is declared is kept, and what is refused is refused: for every broker, whatever it can. */
export const capabilitiesTopic: BrokerTopic = {
  name: "capabilities",
  rules: [
    { name: "are plain data that agrees with itself", check: agreeWithThemselves },
    { name: "delivery and receivers are as declared", check: deliveryAsDeclared },
    {
      name: "delay is taken, or refused with UNSUPPORTED_CAPABILITY beside accepted neighbours",
      check: delayOrRefusal,
    },
    {
      name: "priority is taken, or refused with UNSUPPORTED_CAPABILITY beside accepted neighbours",
      check: priorityOrRefusal,
    },
    { name: "dedupe recognises a message, or accepts it again", check: dedupeOrNot },
    { name: "leases are there, or extend has nothing to say", check: leaseOrNot },
    { name: "deliveryCount is there, or undefined", check: countOrNot },
    { name: "retry and release bring back, or only count", check: redeliveryOrNot },
    { name: "a retry with a delay waits, or settle rejects with UNSUPPORTED_CAPABILITY", check: retryDelayOrRefusal },
    { name: "reject keeps a dead letter, or only counts", check: deadLettersOrNot },
    { name: "admin is there, or absent", check: adminOrNot },
    { name: "what admin does not look into is refused with UNSUPPORTED_CAPABILITY", check: uninspectedIsRefused },
    {
      name: "companions share their data, and the close of one leaves the other open",
      check: companionsAreIndependent,
    },
  ],
};

/** Publishes to a consumer that is there already, as brokers without storage need it, and takes what arrives. */
async function send(scene: BrokerScene, options: { readonly window?: number } = {}) {
  const consumer = await scene.consumer({ window: options.window ?? 10 });
  const message = scene.message();
  await scene.publish(message);
  const delivery = await scene.takeOne(consumer);
  expect(idsOf([delivery])).toEqual([message.id]);
  return { consumer, message, delivery };
}

async function agreeWithThemselves(scene: BrokerScene): Promise<void> {
  const { capabilities } = scene;
  expect(structuredClone(capabilities)).toEqual(capabilities);
  expect((await scene.harness.connect()).capabilities, "of a broker that is not connected").toEqual(capabilities);
  for (const name of supports) expect(capabilities[name], name).toMatch(/^(native|emulated|refused)$/);
  expect(capabilities.delivery).toMatch(/^at-(least|most)-once$/);
  expect(capabilities.receivers).toMatch(/^(one|every)$/);
  expect(capabilities.delayResolution).toBeGreaterThanOrEqual(0);
  expect(capabilities.dedupeWindow > 0, "a dedupe window where there is dedupe").toBe(
    capabilities.dedupe !== "refused",
  );
  expect(capabilities.maxMessageBytes).toBeGreaterThanOrEqual(64 * 1024);
  if (capabilities.delivery === "at-least-once")
    return expect(capabilities.redelivery, "redelivery").not.toBe("refused");
  expect(capabilities.redelivery, "redelivery of what was gone when it was taken").toBe("refused");
  expect(capabilities.lease, "lease on what was gone when it was taken").toBe("refused");
}

async function deliveryAsDeclared(scene: BrokerScene): Promise<void> {
  const first = await scene.consumer();
  const second = await scene.consumer({ broker: await scene.anotherProcess() });
  const message = scene.message();
  await scene.publish(message);
  const signal = AbortSignal.timeout(500);
  const taken = (await Promise.all([first.take(10, signal), second.take(10, signal)])).flat();
  const receivers = scene.capabilities.receivers === "every" ? 2 : 1;
  expect(idsOf(taken)).toEqual(Array.from({ length: receivers }, () => message.id));
  const late = await scene.consumer({ broker: await scene.anotherProcess() });
  await scene.expectNothing(late, "a message that was delivered before");
}

async function delayOrRefusal(scene: BrokerScene): Promise<void> {
  await scene.someoneListens();
  const [before, after] = [scene.message(), scene.message()];
  const results = await scene.offer([
    before,
    { message: scene.message(), delay: 60_000 },
    { message: after, delay: 0 },
  ]);
  expectKeptOrRefused(results, scene.capabilities.delay);
}

async function priorityOrRefusal(scene: BrokerScene): Promise<void> {
  await scene.someoneListens();
  const results = await scene.offer([scene.message(), scene.message({ priority: 9 }), scene.message({ priority: 4 })]);
  expectKeptOrRefused(results, scene.capabilities.priority);
}

function expectKeptOrRefused(results: readonly object[], support: string): void {
  const refusal = { status: "refused", error: { code: "UNSUPPORTED_CAPABILITY", retryable: false } };
  const accepted = { status: "accepted" };
  expect(results).toMatchObject([accepted, support === "refused" ? refusal : accepted, accepted]);
}

async function dedupeOrNot(scene: BrokerScene): Promise<void> {
  const { message } = await send(scene);
  const results = await scene.offer([message, message]);
  const status = scene.capabilities.dedupe === "refused" ? "accepted" : "duplicate";
  expect(results).toEqual([{ status }, { status }]);
}

async function leaseOrNot(scene: BrokerScene): Promise<void> {
  const { consumer, delivery } = await send(scene);
  expect(await consumer.extend([delivery])).toEqual([]);
  if (scene.capabilities.lease === "refused") expect(delivery.leaseUntil).toBeUndefined();
  else expect(delivery.leaseUntil).toBeTypeOf("number");
}

async function countOrNot(scene: BrokerScene): Promise<void> {
  const { delivery } = await send(scene);
  expect(delivery.deliveryCount).toBe(scene.capabilities.deliveryCount === "refused" ? undefined : 1);
}

async function redeliveryOrNot(scene: BrokerScene): Promise<void> {
  for (const kind of ["retry", "release"] as const) {
    const { consumer, delivery } = await send(scene, { window: 1 });
    await scene.settle(consumer, settlementsOf(delivery)[kind]);
    if (scene.capabilities.redelivery === "refused") await scene.expectNothing(consumer, `a message after ${kind}`);
    else await scene.ack(consumer, await scene.takeOne(consumer));
    await consumer.close();
  }
}

async function retryDelayOrRefusal(scene: BrokerScene): Promise<void> {
  const { consumer, delivery } = await send(scene, { window: 2 });
  const retry: Settlement = { kind: "retry", delivery, next: nextHop(messageOf(delivery)), delay: 60_000 };
  const { redelivery, delay } = scene.capabilities;
  if (delay === "refused" && redelivery !== "refused") {
    await expect(consumer.settle([retry])).rejects.toMatchObject({ code: "UNSUPPORTED_CAPABILITY" });
    return scene.ack(consumer, delivery);
  }
  await scene.settle(consumer, retry);
  await scene.expectNothing(consumer, "a retry that is due in a minute");
}

async function deadLettersOrNot(scene: BrokerScene): Promise<void> {
  const { consumer, delivery } = await send(scene);
  await scene.settle(consumer, settlementsOf(delivery as Delivery).reject);
  await scene.expectNothing(consumer, "a rejected message");
  if (scene.broker.admin === undefined) return;
  await scene.expectDepth({ dead: scene.capabilities.deadLetters === "refused" ? 0 : 1 });
}

async function adminOrNot(scene: BrokerScene): Promise<void> {
  if (scene.capabilities.inspection === "refused") expect(scene.broker.admin).toBeUndefined();
  else expect(scene.broker.admin).toBeTypeOf("object");
}

async function uninspectedIsRefused(scene: BrokerScene): Promise<void> {
  const { admin } = scene.broker;
  if (admin === undefined) return;
  const { queue } = scene;
  const refusal = { code: "UNSUPPORTED_CAPABILITY", retryable: false };
  if (!scene.inspects("queues")) await expect(admin.queues()).rejects.toMatchObject(refusal);
  for (const section of ["ready", "delayed", "running", "dead"] as const) {
    if (scene.inspects(section)) continue;
    await expect(admin.list(queue, { section, limit: 1 }), `list of ${section}`).rejects.toMatchObject(refusal);
    await expect(admin.read(queue, section, "key"), `read of ${section}`).rejects.toMatchObject(refusal);
    if (section === "running") continue;
    await expect(admin.remove(queue, section, ["key"]), `remove of ${section}`).rejects.toMatchObject(refusal);
    await expect(admin.purge(queue, section), `purge of ${section}`).rejects.toMatchObject(refusal);
  }
}

async function companionsAreIndependent(scene: BrokerScene): Promise<void> {
  const offer = scene.broker.companions?.results;
  if (offer !== undefined) {
    const [first, second] = await openBoth(scene, [offer(), offer()]);
    const outcome = createOutcome({ id: scene.newQueue() });
    await first.store([outcome]);
    await first.close();
    const found = await second.get([outcome.id]);
    expect(found.map((one) => one?.id)).toEqual([second.capabilities.kept === false ? undefined : outcome.id]);
  }
  const offerState = scene.broker.companions?.state;
  if (offerState === undefined) return;
  const [first, second] = await openBoth(scene, [offerState(), offerState()]);
  const key = [scene.newQueue()];
  await first.put([{ key, value: Buffer.from("kept") }]);
  await first.close();
  expect((await second.get([key])).map((entry) => Buffer.from(entry?.value ?? []).toString())).toEqual(["kept"]);
}

async function openBoth<T extends Connectable>(scene: BrokerScene, values: readonly [T, T]): Promise<readonly [T, T]> {
  for (const value of values) {
    await value.connect();
    scene.defer(() => value.close());
  }
  return values;
}
