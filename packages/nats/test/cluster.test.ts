import { type NatsCluster, startNatsCluster } from "@taskferry/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nats, natsResults, natsState } from "../src/index.ts";
import { idsOf, messageOf, opened, outcomeOf } from "./fixtures/values.ts";

let cluster: NatsCluster;
beforeAll(async () => {
  cluster = await startNatsCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

test("a bucket that gets more replicas is read on by those who knew it with one", async () => {
  const options = { url: cluster.servers.map(({ url }) => url), namespace: "grown" };
  const alone = await opened(natsResults(options));
  await alone.store([outcomeOf("a")]);
  expect((await alone.get(["a"]))[0]?.id).toBe("a");
  const copied = await opened(natsResults({ ...options, replicas: 3 }));
  expect((await copied.get(["a"]))[0]?.id).toBe("a");
  expect((await alone.get(["a"]))[0]?.id).toBe("a");
});

test("leaders that change and one that is killed lose nothing", async () => {
  const options = { url: cluster.servers.map(({ url }) => url), replicas: 3, commandTimeout: "2s" };
  const broker = await opened(nats(options));
  const worker = await opened(nats(options));
  const results = await opened(natsResults(options));
  const state = await opened(natsState(options));
  const consumer = await worker.consume("q", { window: 50, lease: 3_000 });
  const ids = Array.from({ length: 400 }, (_, index) => `m${index}`);
  const missing = new Set(ids);
  let hasStepped = false;
  const working = (async () => {
    const limit = AbortSignal.timeout(60_000);
    while (missing.size > 0 && !limit.aborted) {
      const taken = await consumer.take(20, limit);
      for (const id of idsOf(taken)) missing.delete(id);
      // Without an answer it may have been heard, or it comes again.
      await consumer.settle(taken.map((delivery) => ({ kind: "ack", delivery }))).catch(() => []);
      if (missing.size > 200 || hasStepped) continue;
      hasStepped = true;
      await cluster.stepDown("taskferry", "q=1").catch(() => undefined);
    }
  })();
  for (let start = 0; start < ids.length; start += 20) {
    let open = ids.slice(start, start + 20);
    while (open.length > 0) {
      const outgoing = open.map((id) => ({ message: messageOf(id, "q") }));
      const results = await broker.publish(outgoing, { timeout: 20_000 }).catch(() => []);
      open = open.filter((_, index) => !/accepted|duplicate/.test(results[index]?.status ?? "unknown"));
    }
    if (start === 100) await cluster.stepDown("taskferry");
    if (start === 200) await (await cluster.leaderOf("taskferry")).kill();
  }
  await working;
  expect([...missing]).toEqual([]);

  await results.store([outcomeOf("id")]);
  expect((await results.get(["id"]))[0]?.id).toBe("id");
  expect(await state.increment(["n"], 1, { ttl: 60_000 })).toEqual({ value: 1, added: true });
}, 120_000);
