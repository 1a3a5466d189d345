import type { BrokerEvent, Message } from "@taskferry/core";
import { startRedis } from "@taskferry/testing";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisList, redisResults, redisState } from "../src/index.ts";
import { listStorage } from "../src/list/storage.ts";
import { queueKeys } from "../src/queue/keys.ts";
import { queueBrokers } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const server = privateRedis();
const timeout = 5_000;

describe("the server", () => {
  test.each(["allkeys-lru", "volatile-ttl"] as const)("maxmemory-policy %s is warned about", async (policy) => {
    const other = await startRedis({ maxMemory: { bytes: "64mb", policy } });
    onTestFinished(() => other[Symbol.asyncDispose]());
    const broker = redisList({ url: other.url });
    const events: BrokerEvent[] = [];
    broker.on((event) => events.push(event));
    await broker.connect();
    onTestFinished(() => broker.close());
    expect(events).toContainEqual({ type: "warning", message: expect.stringContaining(policy) });
  });

  test("noeviction is not warned about", async () => {
    const broker = redisList({ url: server.current().url });
    const events: BrokerEvent[] = [];
    broker.on((event) => events.push(event));
    await broker.connect();
    onTestFinished(() => broker.close());
    expect(events.filter(({ type }) => type === "warning")).toEqual([]);
  });

  test("wrong credentials are refused at once, and no password is told", async () => {
    const guarded = await startRedis({ password: "right-canary" });
    onTestFinished(() => guarded[Symbol.asyncDispose]());
    const broker = redisList({ url: `redis://:wrong-canary@${guarded.host}:${guarded.port}` });
    const events: BrokerEvent[] = [];
    broker.on((event) => events.push(event));
    const error = (await broker.connect().catch((reason: unknown) => reason)) as Error;
    expect(error).toMatchObject({
      code: "BROKER_UNAVAILABLE",
      retryable: false,
      message: expect.stringContaining("refuses"),
    });
    expect(JSON.stringify([error.message, error.stack, String(error.cause), events])).not.toContain("canary");
  });

  test("a server that is not there is an error at once, with its address and without its password", async () => {
    const gone = await startRedis();
    await gone[Symbol.asyncDispose]();
    const broker = redisList({ url: `redis://user:canary@${gone.host}:${gone.port}` });
    await expect(broker.connect()).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
      message: expect.stringMatching(new RegExp(`^(?!.*canary).*:${gone.port}`)),
    });
  });
});

describe("the connection", () => {
  test.each(queueBrokers)("%s: SCRIPT FLUSH and CLIENT KILL pass unnoticed", async (_, create) => {
    const broker = create({ url: server.current().url, commandTimeout: "1s" });
    await broker.connect();
    onTestFinished(() => broker.close());
    const consumer = await broker.consume("flushed", { window: 10, lease: 10_000 });
    const admin = new Redis(server.current().url);
    onTestFinished(() => admin.disconnect());
    for (let round = 0; round < 5; round += 1) {
      await admin.script("FLUSH");
      await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      expect(await broker.publish([{ message: message(`round-${round}`, undefined, "flushed") }], { timeout })).toEqual(
        [{ status: "accepted" }],
      );
      const [delivery] = await consumer.take(1, AbortSignal.timeout(timeout));
      expect(delivery?.message?.id).toBe(`round-${round}`);
      if (delivery !== undefined) expect(await consumer.settle([{ kind: "ack", delivery }])).toEqual(["settled"]);
    }
  });

  test("a client of the user's is duplicated, not used and not closed", async () => {
    const client = new Redis(server.current().url, { db: 3 });
    onTestFinished(() => client.disconnect());
    const broker = redisList({ client });
    await broker.connect();
    await broker.publish([{ message: message("own") }], { timeout });
    await broker.close();
    expect(client.status).toBe("ready");
    expect(await client.llen(queueKeys(listStorage, "taskferry", "q").own.ready_middle)).toBe(1);
  });

  test("options of ioredis are passed through, Sentinel's among them", async () => {
    const broker = redisList({
      options: { sentinels: [{ host: "127.0.0.1", port: 1 }], name: "primary" },
      commandTimeout: "300ms",
    });
    await expect(broker.connect()).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
      message: expect.stringContaining("Sentinel group primary"),
    });
  });
});

describe("keys", () => {
  test("all keys of a queue are in one slot, and everything works on a cluster", async () => {
    const cluster = await startRedis({ cluster: true });
    onTestFinished(() => cluster[Symbol.asyncDispose]());
    const keys = queueKeys(listStorage, "blue", "images");
    const admin = new Redis(cluster.url);
    onTestFinished(() => admin.disconnect());
    const slots = await Promise.all(keys.all.map((key) => admin.cluster("KEYSLOT", key)));
    expect(new Set(slots).size).toBe(1);

    const { Cluster } = await import("ioredis");
    const client = new Cluster([{ host: cluster.host, port: cluster.port }]);
    onTestFinished(() => client.disconnect());
    const [broker, results, state] = [redisList({ client }), redisResults({ client }), redisState({ client })];
    await Promise.all([broker.connect(), results.connect(), state.connect()]);
    onTestFinished(async () => void (await Promise.all([broker.close(), results.close(), state.close()])));
    const consumer = await broker.consume("images", { window: 100, lease: 10_000 });
    await broker.publish(
      Array.from({ length: 50 }, (_, index) => ({ message: message(`m${index}`, undefined, "images") })),
      { timeout },
    );
    const deliveries = await consumer.take(50, AbortSignal.timeout(timeout));
    expect(deliveries).toHaveLength(50);
    expect(await consumer.settle(deliveries.map((delivery) => ({ kind: "ack", delivery })))).toEqual(
      deliveries.map(() => "settled"),
    );
    const outcomes = Array.from({ length: 50 }, (_, index) => ({ ...outcome, id: `m${index}` }));
    expect(await results.store(outcomes)).toEqual(outcomes);
    expect((await results.get(outcomes.map(({ id }) => id))).map((found) => found?.id)).toEqual(
      outcomes.map(({ id }) => id),
    );
    await state.put([
      { key: ["a", "b"], value: new Uint8Array([1]) },
      { key: ["{c}", "d"], value: new Uint8Array([2]) },
    ]);
    expect((await state.list([], { limit: 10 })).entries.map(({ key }) => key)).toEqual([
      ["a", "b"],
      ["{c}", "d"],
    ]);
  });

  test("names of namespaces keep systems on one server apart", async () => {
    const [blue, green] = ["blue", "green"].map((namespace) => redisList({ url: server.current().url, namespace }));
    if (blue === undefined || green === undefined) throw new Error("two brokers were expected");
    await Promise.all([blue.connect(), green.connect()]);
    onTestFinished(async () => void (await Promise.all([blue.close(), green.close()])));
    await blue.publish([{ message: message("apart") }], { timeout });
    expect(await green.admin?.depth("q")).toMatchObject({ ready: 0 });
    expect(await blue.admin?.depth("q")).toMatchObject({ ready: 1 });
  });

  test("tombstones rotate: nothing is kept for longer than two windows", async () => {
    const broker = redisList({ url: server.current().url, namespace: "short", dedupeWindow: 50 });
    await broker.connect();
    onTestFinished(() => broker.close());
    const consumer = await broker.consume("q", { window: 10, lease: 10_000 });
    const admin = new Redis(server.current().url);
    onTestFinished(() => admin.disconnect());
    const pass = async (id: string): Promise<void> => {
      await broker.publish([{ message: message(id) }], { timeout });
      const [delivery] = await consumer.take(1, AbortSignal.timeout(timeout));
      if (delivery !== undefined) await consumer.settle([{ kind: "ack", delivery }]);
    };
    await pass("old");
    const isGone = async (): Promise<boolean> => {
      await pass(`later-${performance.now()}`);
      const [now, before] = await Promise.all(
        ["{short:q}:done", "{short:q}:done:old"].map((key) => admin.hexists(key, "old:0:0")),
      );
      return now === 0 && before === 0;
    };
    while (!(await isGone()));
    expect(await broker.publish([{ message: message("old") }], { timeout })).toEqual([{ status: "accepted" }]);
  });
});

function message(id: string, body: Uint8Array = new Uint8Array([1]), queue = "q"): Message {
  return { id, run: 0, hop: 0, task: "t", queue, attempt: 0, enqueuedAt: 1, contentType: "application/json", body };
}

const outcome = {
  id: "",
  run: 0,
  task: "t",
  attempt: 0,
  status: "cancelled",
  code: "TASK_CANCELLED",
  reason: "r",
  enqueuedAt: 1,
  finishedAt: 2,
  worker: "w",
  ttl: 60_000,
} as const;
