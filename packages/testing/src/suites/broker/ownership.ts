import { expect } from "vitest";
import { type BrokerScene, longLease } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { messageOf, nextHop, settlementsOf } from "./messages.ts";

const kinds = ["ack", "retry", "reject", "release"] as const;

export const ownershipTopic: BrokerTopic = {
  name: "ownership",
  needs: ["at-least-once", "one-receiver", "redelivery"],
  rules: [
    { name: "a late settlement by the old owner is lost and changes nothing", needs: ["lease"], check: lateIsLost },
    { name: "a late extend by the old owner is lost and changes nothing", needs: ["lease"], check: lateExtend },
    { name: "settling another's delivery is lost and changes nothing", check: anothersIsLost },
    { name: "an old delivery of what one holds again oneself is lost", check: oldOfOnesOwn },
  ],
};

async function lateIsLost(scene: BrokerScene): Promise<void> {
  const { lease, slack } = scene.timing;
  for (const kind of kinds) {
    const owner = await scene.consumer({ window: 1, lease });
    const thief = await scene.consumer({ broker: await scene.anotherProcess(), window: 1 });
    const message = scene.message();
    await scene.publish(message);
    const old = await scene.takeOne(owner);
    const current = await scene.takeOne(thief, lease + slack);
    expect(messageOf(current).id).toBe(message.id);
    expect(await owner.settle([settlementsOf(old)[kind]]), `late ${kind}`).toEqual(["lost"]);
    await owner.close();
    await thief.stop();
    await scene.expectEmpty(`the message, or a retry of it, after a late ${kind}`);
    if (scene.broker.admin !== undefined) await scene.expectDepth({ running: 1 });
    await scene.settle(thief, { kind: "retry", delivery: current, next: nextHop(message), delay: 0 });
    await scene.drainQueue();
  }
}

async function lateExtend(scene: BrokerScene): Promise<void> {
  const { lease, slack } = scene.timing;
  const owner = await scene.consumer({ window: 1, lease: longLease });
  const brief = await scene.consumer({ broker: await scene.anotherProcess(), window: 1, lease });
  await scene.publish(scene.message());
  const old = await scene.takeOne(brief);
  const current = await scene.takeOne(owner, lease + slack);
  expect(await brief.extend([old])).toEqual([old]);
  expect(await owner.extend([current]), "lost by its owner").toEqual([]);
  await scene.ack(owner, current);
}

async function anothersIsLost(scene: BrokerScene): Promise<void> {
  const other = await scene.anotherProcess();
  for (const broker of [scene.broker, other]) {
    for (const kind of kinds) {
      const owner = await scene.consumer({ window: 1 });
      const stranger = await scene.consumer({ broker, window: 1 });
      await stranger.stop();
      await scene.publish(scene.message());
      const delivery = await scene.takeOne(owner);
      expect(await stranger.settle([settlementsOf(delivery)[kind]]), `another's ${kind}`).toEqual(["lost"]);
      if (scene.broker.admin !== undefined) await scene.expectDepth({ running: 1 });
      await scene.ack(owner, delivery);
      await owner.close();
      await scene.expectEmpty(`the message after another's ${kind} and its owner's ack`);
    }
  }
}

/** After release and take one holds the message under a new token; the old one must not end it. */
async function oldOfOnesOwn(scene: BrokerScene): Promise<void> {
  for (const kind of kinds) {
    const consumer = await scene.consumer({ window: 1 });
    await scene.publish(scene.message());
    const old = await scene.takeOne(consumer);
    await scene.settle(consumer, settlementsOf(old).release);
    const current = await scene.takeOne(consumer);
    expect(messageOf(current).id).toBe(messageOf(old).id);
    const [answer] = await consumer.settle([settlementsOf(old)[kind]]);
    expect(answer, `${kind} of the old delivery`).toMatch(kind === "release" ? /^(settled|lost)$/ : /^lost$/);
    await scene.ack(consumer, current);
    await consumer.close();
    await scene.expectEmpty(`the message after ${kind} of its old delivery`);
  }
}
