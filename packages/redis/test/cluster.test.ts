import type { Broker } from "@taskferry/core";
import { type RedisCluster, showLogsOnFailure, startRedisCluster } from "@taskferry/testing";
import { Cluster } from "ioredis";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { type RedisConnectionOptions, redisPubSub } from "../src/index.ts";
import { Flow } from "./fixtures/flow.ts";
import { messageOf, opened, operator, patience, queueBrokers } from "./fixtures/values.ts";

const queue = "flowing";
const key = `{taskferry:${queue}}:any`;
const nothing = { ready: 0, delayed: 0, running: 0, dead: 0 };

async function startCluster(): Promise<RedisCluster> {
  const cluster = await startRedisCluster();
  onTestFinished(() => cluster[Symbol.asyncDispose]());
  showLogsOnFailure({ onTestFailed }, ...cluster.nodes);
  return cluster;
}

type Create = (options: RedisConnectionOptions) => Broker;

async function openTwo(cluster: RedisCluster, create: Create): Promise<readonly [publisher: Broker, worker: Broker]> {
  const open = (): Promise<Broker> => opened(create({ client: clientOf(cluster), commandTimeout: "1s" }));
  return [await open(), await open()];
}

function clientOf(cluster: RedisCluster): Cluster {
  const client = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
  onTestFinished(() => client.disconnect());
  return client;
}

describe.each(queueBrokers)("%s on a cluster", (_, create) => {
  test("loses nothing by failovers and the move of its slot while messages flow", { timeout: 90_000 }, async () => {
    const cluster = await startCluster();
    const [publisher, worker] = await openTwo(cluster, create);
    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    await flow.more(200);
    await cluster.failOver(key);
    await flow.more(200);
    await cluster.moveSlot(key);
    await flow.more(200);
    await flow.end();
    expect(flow.missing()).toEqual([]);
    expect(await worker.admin?.depth(queue)).toEqual(nothing);
  });

  test("loses nothing that was replicated when a master is killed", { timeout: 90_000 }, async () => {
    const cluster = await startCluster();
    const [publisher, worker] = await openTwo(cluster, create);
    const waiting = Array.from({ length: 300 }, (_unused, index) => messageOf(`before-${index}`, queue));
    const results = await publisher.publish(
      waiting.map((message) => ({ message })),
      { timeout: patience },
    );
    expect(results.filter(({ status }) => status !== "accepted")).toEqual([]);
    const crashed = await worker.consume(queue, { window: 100, lease: 1_000 });
    expect((await crashed.take(50, AbortSignal.timeout(patience))).length).toBe(50);
    await cluster.replicated(key);

    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    await cluster.killMaster(key);
    await flow.more(100);
    const safe = new Set(waiting.map(({ id }) => id));
    await flow.end(safe);
    expect(flow.missing(safe)).toEqual([]);
  });
});

test("redisPubSub hears every node of a cluster, and says when it may have missed something", {
  timeout: 60_000,
}, async () => {
  const cluster = await startCluster();
  const [publisher, worker] = await openTwo(cluster, redisPubSub);
  const consumer = await worker.consume(queue, { window: 1_000, lease: 1_000 });
  const send = async (id: string) => publisher.publish([{ message: messageOf(id, queue) }], { timeout: patience });
  for (let index = 0; index < 20; index += 1) expect(await send(`m${index}`)).toEqual([{ status: "accepted" }]);
  const heard: string[] = [];
  while (heard.length < 20) {
    for (const { message } of await consumer.take(20, AbortSignal.timeout(patience))) heard.push(message?.id ?? "");
  }
  expect(heard.sort()).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`).sort());

  const gap = new Promise((resolve) => worker.on((event) => event.type === "gap" && resolve(event)));
  // Whichever node it listens at is one of these.
  for (const { url } of cluster.nodes) await operator(url).call("CLIENT", "KILL", "TYPE", "pubsub");
  await gap;
  await send("after");
  expect((await consumer.take(1, AbortSignal.timeout(patience)))[0]?.message?.id).toBe("after");
});
