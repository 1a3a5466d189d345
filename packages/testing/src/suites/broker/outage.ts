import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { briefly, eventuallyServed, isUnavailable } from "../interruptions.ts";
import { elapse, within } from "../patience.ts";
import { beginOutage, hear } from "./broker-outage.ts";
import { type BrokerScene, longLease } from "./broker-scene.ts";
import type { BrokerTopic } from "./broker-topic.ts";
import { expectEachOnce, settlementsOf } from "./messages.ts";

export const outageTopic: BrokerTopic = {
  name: "outage",
  needs: ["at-least-once", "outage"],
  rules: [
    { name: "take waits through it", check: takeWaits },
    { name: "take resolves [] when it is aborted meanwhile", check: takeAborts },
    { name: "publish waits for the end of a short one", check: publishWaits },
    { name: "publish rejects with BROKER_UNAVAILABLE at its timeout, not before", check: publishTimesOut },
    { name: "extend rejects with BROKER_UNAVAILABLE, and nothing is lost", needs: ["lease"], check: extendRejects },
    {
      name: "settle answers unknown or rejects, and is settled, or lost without leases, when sent again",
      check: settleAgain,
    },
    { name: "admin rejects with BROKER_UNAVAILABLE", needs: ["inspection"], check: adminRejects },
    { name: "tells disconnected, then connected", check: tellsEvents },
    { name: "ten in a row leave a broker that works", check: tenInARow },
    { name: "connect rejects with BROKER_UNAVAILABLE, and can be called again", check: connectFails },
    { name: "close ends, though the server is away", check: closeEnds },
  ],
};

async function takeWaits(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const taking = consumer.take(1, AbortSignal.timeout(2 * scene.timing.callTimeout));
  const outage = await beginOutage(scene);
  await elapse(briefly);
  await scene.expectPending(taking);
  await outage.end();
  const message = scene.message();
  await scene.publish(message);
  expectEachOnce(await within(taking, scene.timing.callTimeout, "take to go on after the outage"), [message]);
}

async function takeAborts(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const controller = new AbortController();
  const taking = consumer.take(1, controller.signal);
  await beginOutage(scene);
  controller.abort();
  expect(await within(taking, scene.timing.slack, "take to end after the abort")).toEqual([]);
}

async function publishWaits(scene: BrokerScene): Promise<void> {
  const outage = await beginOutage(scene);
  const messages = scene.messages(3);
  const publishing = scene.offer(messages);
  await elapse(briefly);
  await outage.end();
  for (const [index, { status }] of (await publishing).entries()) {
    if (status === "unknown") await scene.offer(messages.slice(index, index + 1));
    else expect(status).toMatch(/^(accepted|duplicate)$/);
  }
  expectEachOnce(await scene.drainQueue({ atLeast: 1, quiet: scene.timing.slack / 5 }), messages);
}

async function publishTimesOut(scene: BrokerScene): Promise<void> {
  const outage = await beginOutage(scene);
  const message = scene.message();
  const start = monotonicNow();
  const publishing = scene.broker.publish([{ message }], { timeout: briefly });
  const [result] = await Promise.allSettled([within(publishing, briefly + scene.timing.slack, "publish to time out")]);
  expect(result).toMatchObject({ status: "rejected", reason: { code: "BROKER_UNAVAILABLE", retryable: true } });
  expect(scene.since(start), "ms until publish gave up").toBeGreaterThanOrEqual(briefly - 2);
  await outage.end();
  // Nothing was attempted: had it been sent later, this publish would be a duplicate.
  await scene.publish(message);
  expectEachOnce(await scene.drainQueue({ atLeast: 1 }), [message]);
}

async function extendRejects(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  await scene.publish(scene.message());
  const delivery = await scene.takeOne(consumer);
  const outage = await beginOutage(scene);
  const extending = within(consumer.extend([delivery]), scene.timing.callTimeout, "extend to end");
  await expect(extending).rejects.toSatisfy(isUnavailable);
  await outage.end();
  await eventuallyServed(() => consumer.extend([delivery]), scene).then((lost) => expect(lost).toEqual([]));
  await scene.ack(consumer, delivery);
}

async function settleAgain(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer({ window: 4, lease: longLease });
  await scene.publish(...scene.messages(4));
  const deliveries = await scene.take(consumer, 4);
  const settlements = (["ack", "retry", "reject", "release"] as const).flatMap((kind, place) =>
    deliveries.slice(place, place + 1).map((delivery) => settlementsOf(delivery)[kind]),
  );
  const outage = await beginOutage(scene);
  const settling = within(consumer.settle(settlements), scene.timing.callTimeout, "settle to end");
  const [first] = await Promise.allSettled([settling]);
  // A delivery without a lease ends with its connection, and comes again.
  const isSettled = scene.capabilities.lease !== "refused";
  if (first.status === "fulfilled") {
    for (const answer of first.value) expect(answer).toMatch(isSettled ? /^unknown$/ : /^(unknown|lost)$/);
  } else expect(first.reason).toSatisfy(isUnavailable);
  await outage.end();
  const again = async () => {
    const answers = await consumer.settle(settlements);
    if (answers.includes("unknown")) throw new Error("Still unknown.");
    return answers;
  };
  const answers = await eventuallyServed(again, scene);
  expect(answers).toEqual(settlements.map(() => (isSettled ? "settled" : "lost")));
  await consumer.close();
  const comesBack = scene.capabilities.redelivery !== "refused";
  const left = comesBack ? (isSettled ? 2 : settlements.length) : 0;
  expect(await scene.drainQueue({ atLeast: left, quiet: 1_000 })).toHaveLength(left);
}

async function adminRejects(scene: BrokerScene): Promise<void> {
  await beginOutage(scene);
  const calls: Readonly<Record<string, Promise<unknown>>> = {
    queues: scene.admin.queues(),
    depth: scene.admin.depth(scene.queue),
    list: scene.admin.list(scene.queue, { section: "ready", limit: 1 }),
    purge: scene.admin.purge(scene.queue, "ready"),
  };
  const pending = Object.entries(calls).map(async ([name, call]) => {
    await expect(within(call, scene.timing.callTimeout, `${name} to end`), name).rejects.toSatisfy(isUnavailable);
  });
  await Promise.all(pending);
}

async function tellsEvents(scene: BrokerScene): Promise<void> {
  const events: string[] = [];
  scene.broker.on((event) => events.push(event.type));
  const outage = await beginOutage(scene);
  const connected = hear(scene.broker, "connected");
  await outage.end();
  await within(connected, scene.timing.callTimeout, "the broker to tell `connected`");
  const told = events.filter((type) => type === "connected" || type === "disconnected");
  expect(told[0]).toBe("disconnected");
  expect(told.at(-1)).toBe("connected");
}

async function tenInARow(scene: BrokerScene): Promise<void> {
  const consumer = await scene.consumer();
  const outage = scene.harness.outage;
  for (let round = 0; round < 10; round += 1) {
    await outage?.begin();
    await elapse(round * 7);
    await outage?.end();
  }
  const message = scene.message();
  await eventuallyServed(async () => {
    const [result] = await scene.offer([message]);
    expect(result?.status).toMatch(/^(accepted|duplicate)$/);
  }, scene);
  const delivery = await scene.takeOne(consumer, scene.timing.callTimeout);
  await eventuallyServed(async () => {
    const [answer] = await consumer.settle([{ kind: "ack", delivery }]);
    expect(answer).toMatch(/^(settled|lost)$/);
  }, scene);
}

async function connectFails(scene: BrokerScene): Promise<void> {
  const broker = await scene.harness.connect();
  const outage = await beginOutage(scene);
  const connecting = within(broker.connect(), scene.timing.callTimeout, "connect to fail");
  await expect(connecting).rejects.toSatisfy(isUnavailable);
  await outage.end();
  await eventuallyServed(() => broker.connect(), scene);
  await scene.offer([scene.message()], broker);
  await broker.close();
}

async function closeEnds(scene: BrokerScene): Promise<void> {
  const broker = await scene.anotherProcess();
  const consumer = await broker.consume(scene.queue, { window: 5, lease: scene.timing.lease });
  const taking = Promise.allSettled([consumer.take(1, new AbortController().signal)]);
  await beginOutage(scene);
  await within(Promise.allSettled([consumer.close()]), scene.timing.callTimeout, "close of a consumer to end");
  await within(taking, scene.timing.slack, "take to end after close");
  await within(broker.close(), scene.timing.callTimeout, "close of a broker to end");
}
