import { setTimeout as elapse } from "node:timers/promises";
import { monotonicNow } from "@taskferry/core";
import { expect, test } from "vitest";
import { nats } from "../src/index.ts";
import { messageOf, opened, operator, patience, takeAll } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();
const priorities = [9, 5, 1];

/** A broker and an idle consumer of a queue in which all priorities were used. */
async function idle(namespace: string) {
  const broker = await opened(nats({ url: server.current().url, namespace }));
  const publish = (id: string, priority: number) =>
    broker.publish([{ message: messageOf(id, "q", { priority }) }], { timeout: patience });
  for (const priority of priorities) await publish(`first-${priority}`, priority);
  const consumer = await broker.consume("q", { window: 10, lease: 30_000 });
  const taken = await takeAll(consumer, priorities.length);
  await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery })));
  return { publish, consumer };
}

test("a consumer with nothing to do asks each priority's consumer on the server about once a second", async () => {
  const { consumer } = await idle("quiet");
  const watching = await operator(server.current().url);
  let requests = 0;
  watching.subscribe("$JS.API.CONSUMER.MSG.NEXT.quiet.>", {
    callback: () => {
      requests += 1;
    },
  });
  await watching.flush();
  const end = new AbortController();
  const taking = consumer.take(10, end.signal);
  await elapse(2_000);
  end.abort();
  expect(await taking).toEqual([]);
  expect(requests).toBeGreaterThan(0);
  expect(requests).toBeLessThanOrEqual(3 * (priorities.length + 1));
});

test("a message of any priority comes at once to a consumer that waits", async () => {
  const { publish, consumer } = await idle("prompt");
  for (let round = 0; round < 60; round += 1) {
    const taking = consumer.take(1, AbortSignal.timeout(3 * patience));
    await elapse(round % 7);
    const start = monotonicNow();
    await publish(`${round}`, priorities[round % 3] as number);
    const [delivery] = await taking;
    if (delivery === undefined) throw new Error("Expected a delivery.");
    expect(monotonicNow() - start, "milliseconds").toBeLessThan(patience / 2);
    await consumer.settle([{ kind: "ack", delivery }]);
  }
}, 120_000);
