import { createFaultProxy, showLogsOnFailure, startRedis, startRedisSentinel } from "@taskferry/testing";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { redisPubSub, redisStream } from "../src/index.ts";
import { listStorage } from "../src/list/storage.ts";
import { queueKeys } from "../src/queue/keys.ts";
import type { QueueStorage } from "../src/queue/storage.ts";
import { streamStorage } from "../src/stream/storage.ts";
import { Flow } from "./fixtures/flow.ts";
import { messageOf, opened, operator, patience, queueBrokers } from "./fixtures/values.ts";

const queue = "flowing";
const nothing = { ready: 0, delayed: 0, running: 0, dead: 0 };

async function startGroup() {
  const group = await startRedisSentinel();
  onTestFinished(() => group[Symbol.asyncDispose]());
  showLogsOnFailure({ onTestFailed }, ...group.sentinels, ...group.nodes);
  const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
  return { group, connection: { options: { sentinels, name: group.name }, commandTimeout: "1s" } as const };
}

describe.each(queueBrokers)("%s", (_name, create) => {
  test("behind Sentinel loses nothing that was replicated when the primary is killed", {
    timeout: 60_000,
  }, async () => {
    const { group, connection } = await startGroup();
    const [publisher, worker] = [await opened(create(connection)), await opened(create(connection))];
    const waiting = Array.from({ length: 200 }, (_, index) => messageOf(`before-${index}`, queue));
    await publisher.publish(
      waiting.map((message) => ({ message })),
      { timeout: patience },
    );
    await group.replicated();
    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    await group.killMaster();
    await flow.more(100);
    const safe = new Set(waiting.map(({ id }) => id));
    await flow.end(safe);
    expect(flow.missing(safe)).toEqual([]);
  });

  test("behind Sentinel goes on at the new primary after a failover by hand", { timeout: 60_000 }, async () => {
    const { group, connection } = await startGroup();
    const [publisher, worker] = [await opened(create(connection)), await opened(create(connection))];
    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    await flow.more(200);
    await group.failOver();
    const safe = new Set(await acceptedAfter(flow, 100));
    await flow.end(safe);
    expect(flow.missing(safe)).toEqual([]);
    const storage: QueueStorage = create === redisStream ? streamStorage : listStorage;
    const { done } = queueKeys(storage, "taskferry", queue);
    const settled = new Set(await operator((await group.master()).url).hkeys(done));
    expect([...safe].filter((id) => !settled.has(`${id}:0:0`))).toEqual([]);
  });

  test("waits while its server is a replica, and goes on at the one that took over", { timeout: 60_000 }, async () => {
    const primary = await startRedis();
    onTestFinished(() => primary[Symbol.asyncDispose]());
    const replica = await startRedis({ replicaOf: primary });
    onTestFinished(() => replica[Symbol.asyncDispose]());
    const target = { host: primary.host, port: primary.port, url: primary.url };
    const proxy = await createFaultProxy(target);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const [publisher, worker] = await Promise.all(
      [1, 2].map(() => opened(create({ url: proxy.url, commandTimeout: "1s" }))),
    );
    if (publisher === undefined || worker === undefined) throw new Error("two brokers were expected");
    const flow = new Flow(queue);
    await flow.begin(publisher, worker);
    await flow.more(200);
    const [old, next] = [operator(primary.url), operator(replica.url)];
    // Writes stop here; once the replica has all of them, it takes over.
    await old.call("CLIENT", "PAUSE", "30000", "WRITE");
    const goal = await offsetOf(old, "master_repl_offset");
    while ((await offsetOf(next, "slave_repl_offset")) < goal);
    await next.call("REPLICAOF", "NO", "ONE");
    await old.call("REPLICAOF", replica.host, String(replica.port));
    await old.call("CLIENT", "UNPAUSE");
    target.port = replica.port;
    await flow.more(200);
    await flow.end();
    expect(flow.missing()).toEqual([]);
    expect(await worker.admin?.depth(queue)).toEqual(nothing);
  });
});

test("redisPubSub behind Sentinel listens at the new primary after a failover", { timeout: 60_000 }, async () => {
  const { group, connection } = await startGroup();
  const [publisher, worker] = [await opened(redisPubSub(connection)), await opened(redisPubSub(connection))];
  const consumer = await worker.consume(queue, { window: 10, lease: 1_000 });
  const gap = new Promise((resolve) => worker.on((event) => event.type === "gap" && resolve(event)));
  await group.killMaster();
  await gap;
  const results = await publisher.publish([{ message: messageOf("after", queue) }], { timeout: patience });
  expect(results).toEqual([{ status: "accepted" }]);
  expect((await consumer.take(1, AbortSignal.timeout(patience)))[0]?.message?.id).toBe("after");
});

/** What is accepted from now on. */
async function acceptedAfter(flow: Flow, count: number): Promise<readonly string[]> {
  const before = new Set(flow.accepted);
  await flow.more(count);
  return [...flow.accepted].filter((id) => !before.has(id));
}

async function offsetOf(client: ReturnType<typeof operator>, field: string): Promise<number> {
  const info = await client.info("replication");
  return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(info)?.[1]);
}
