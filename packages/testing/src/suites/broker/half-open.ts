import { expect } from "vitest";
import { briefly, eventuallyServed, interruption, isUnavailable } from "../interruptions.ts";
import { elapse, within } from "../patience.ts";
import type { BrokerScene } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce } from "./messages.ts";

export const halfOpenTopic: BrokerTopic = {
  name: "half-open",
  needs: ["at-least-once", "freeze"],
  rules: [
    { name: "publish ends at its timeout: unknown, or BROKER_UNAVAILABLE", check: frozenPublish },
    { name: "no call hangs", check: noCallHangs },
    { name: "a take that waits is served after it", check: frozenTake },
  ],
};

async function frozenPublish(scene: BrokerScene): Promise<void> {
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  const messages = scene.messages(3);
  const publishing = scene.broker.publish(
    messages.map((message) => ({ message })),
    { timeout: briefly },
  );
  const [result] = await Promise.allSettled([within(publishing, briefly + scene.timing.slack, "publish to time out")]);
  if (result.status === "rejected") expect(result.reason).toSatisfy(isUnavailable);
  else expect(result.value.map(({ status }) => status)).toEqual(messages.map(() => "unknown"));
  await freeze.end();
  await eventuallyServed(async () => {
    for (const { status } of await scene.offer(messages)) expect(status).toMatch(/^(accepted|duplicate)$/);
  }, scene);
  expectEachOnce(await scene.drainQueue({ atLeast: 1, quiet: 1_000 }), messages);
}

async function noCallHangs(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 2 });
  await scene.publish(...scene.messages(2));
  const deliveries = await scene.take(consumer, 2);
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  const calls = {
    extend: consumer.extend(deliveries),
    settle: consumer.settle(deliveries.map((delivery) => ({ kind: "ack", delivery }) as const)),
    ...(scene.broker.admin !== undefined && { depth: scene.admin.depth(scene.queue) }),
  };
  const ended = Object.entries(calls).map(([name, call]) =>
    within(Promise.allSettled([call]), scene.timing.callTimeout, `${name} to end`),
  );
  await Promise.all(ended);
}

async function frozenTake(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const taking = consumer.take(1, AbortSignal.timeout(3 * scene.timing.callTimeout));
  const freeze = interruption(scene, "freeze");
  await freeze.begin();
  await elapse(briefly);
  await freeze.end();
  const message = scene.message();
  await eventuallyServed(() => scene.offer([message]), scene);
  expectEachOnce(await within(taking, 2 * scene.timing.callTimeout, "take to go on"), [message]);
}
