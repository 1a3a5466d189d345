import type { Settlement } from "@taskferry/core";
import { expect } from "vitest";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, idsOf, messageOf, nextHop, rejection, settlementsOf, sortedKeys } from "./messages.ts";

const kinds = ["ack", "retry", "reject", "release"] as const;

export const settleTopic: BrokerTopic = {
  name: "settle",
  needs: ["at-least-once"],
  rules: [
    { name: "an empty batch is answered by []", check: emptyBatch },
    { name: "ack forgets the message", check: ackForgets },
    { name: "answers per item and in order", needs: ["redelivery"], check: answersInOrder },
    { name: "ends these deliveries and no others, in any order", check: endsOnlyThese },
    { name: "the same settlement again changes nothing", check: againChangesNothing },
    { name: "another settlement of an ended delivery changes nothing", check: anotherChangesNothing },
    { name: "1,000 in one call", check: thousandAtOnce },
    { name: "500 calls at the same moment", check: manyCalls },
  ],
};

async function emptyBatch(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  expect(await consumer.settle([])).toEqual([]);
}

async function ackForgets(scene: BrokerScene): Promise<void> {
  const lease = 2 * scene.timing.lease;
  const consumer = await scene.consumer({ lease });
  await scene.publish(...scene.messages(5));
  await scene.ack(consumer, ...(await scene.take(consumer, 5)));
  if (scene.broker.admin !== undefined) await scene.expectDepth({});
  await scene.expectNothing(consumer, "messages that were acked", 2 * lease);
}

async function answersInOrder(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 5 });
  await scene.publish(...scene.messages(5));
  const deliveries = await scene.take(consumer, 5);
  await scene.ack(consumer, ...deliveries.slice(1, 2));
  const mixed = (["ack", "release", "retry", "reject", "release"] as const).flatMap((kind, place) =>
    deliveries.slice(place, place + 1).map((delivery) => settlementsOf(delivery)[kind]),
  );
  expect(await consumer.settle(mixed)).toEqual(["settled", "lost", "settled", "settled", "settled"]);
  await consumer.close();
  const left = await scene.drainQueue({ atLeast: 2 });
  expect(idsOf(left).sort()).toEqual([2, 4].map((place) => idsOf(deliveries)[place]).sort());
}

/** RabbitMQ can ack all up to a delivery; a broker that did so with a gap would lose what lies before it. */
async function endsOnlyThese(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 10 });
  const messages = scene.messages(10);
  await scene.publish(...messages);
  const deliveries = await scene.take(consumer, 10);
  const acked = [7, 2, 4].flatMap((place) => deliveries.slice(place, place + 1));
  await scene.ack(consumer, ...acked);
  await consumer.close();
  if (scene.inspects("running")) {
    const { ready = 0, running = 0 } = await scene.admin.depth(scene.queue);
    expect(ready + running, "messages left").toBe(7);
  }
  const gone = new Set(idsOf(acked));
  const other = await scene.consumer({ broker: await scene.anotherProcess() });
  expectEachOnce(
    await scene.drain(other),
    messages.filter(({ id }) => !gone.has(id)),
  );
}

async function againChangesNothing(scene: BrokerScene): Promise<void> {
  for (const kind of kinds) {
    const consumer = await scene.consumer({ window: 1 });
    const message = scene.message();
    await scene.publish(message);
    const delivery = await scene.takeOne(consumer);
    const settlement = settlementsOf(delivery)[kind];
    await scene.settle(consumer, settlement);
    for (const answer of await consumer.settle([settlement, settlement])) {
      expect(answer, `answer to a second ${kind}`).toMatch(/^(settled|lost)$/);
    }
    await consumer.close();
    await expectOnlyEffectOf(scene, settlement);
  }
}

async function anotherChangesNothing(scene: BrokerScene): Promise<void> {
  for (const kind of kinds) {
    const consumer = await scene.consumer({ window: 1 });
    await scene.publish(scene.message());
    const delivery = await scene.takeOne(consumer);
    const { [kind]: first, ...others } = settlementsOf(delivery);
    await scene.settle(consumer, first);
    const answers = await consumer.settle(Object.values(others));
    expect(answers, `answers to other settlements after ${kind}`).toEqual(["lost", "lost", "lost"]);
    await consumer.close();
    await expectOnlyEffectOf(scene, first);
  }
}

/** Expects the queue to hold what one settlement leaves behind, and nothing else. Empties it. */
async function expectOnlyEffectOf(scene: BrokerScene, settlement: Settlement): Promise<void> {
  const message = messageOf(settlement.delivery);
  const kept = scene.capabilities.redelivery !== "refused";
  const comesBack = kept && (settlement.kind === "release" || settlement.kind === "retry");
  const drained = (await scene.drainQueue({ atLeast: comesBack ? 1 : 0 })).map(messageOf);
  if (settlement.kind === "release") {
    expect(
      drained.map(({ id }) => id),
      "after release",
    ).toEqual(kept ? [message.id] : []);
  } else {
    const left = settlement.kind === "retry" && kept ? [nextHop(message)] : [];
    expect(sortedKeys(drained), `after ${settlement.kind}`).toEqual(sortedKeys(left));
  }
  if (scene.broker.admin === undefined || scene.capabilities.deadLetters === "refused") return;
  expect(await scene.admin.purge(scene.queue, "dead"), "dead letters").toBe(settlement.kind === "reject" ? 1 : 0);
}

async function thousandAtOnce(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 1_000 });
  await scene.publish(...scene.messages(1_000));
  const deliveries = await scene.take(consumer, 1_000);
  const settlements = deliveries.map((delivery, index): Settlement => {
    if (index % 2 === 0) return { kind: "ack", delivery };
    return { kind: "reject", delivery, reason: rejection() };
  });
  await scene.settle(consumer, ...settlements);
  await consumer.close();
  const other = await scene.consumer();
  await scene.expectNothing(other, "messages that were settled");
}

async function manyCalls(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 500 });
  await scene.publish(...scene.messages(500));
  const deliveries = await scene.take(consumer, 500);
  await Promise.all(deliveries.map((delivery) => scene.ack(consumer, delivery)));
  await consumer.close();
  await scene.expectEmpty("messages that were acked");
}
