import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import type { BrokerEvent } from "@taskferry/core";
import { createFaultProxy, type FaultProxy, startRedis } from "@taskferry/testing";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { Connection } from "../src/connection.ts";
import { redisList, redisResults, redisState, schemes } from "../src/index.ts";
import { messageOf, opened, operator, outcomeOf, patience } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

async function proxied(): Promise<FaultProxy> {
  const proxy = await createFaultProxy(redis.current());
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

describe("a publish", () => {
  test("whose replies are lost until its time is over is unknown, and is there once", async () => {
    const proxy = await proxied();
    const broker = await opened(redisList({ url: proxy.url, commandTimeout: "500ms" }));
    const queue = randomUUID();
    const outgoing = [{ message: messageOf("a", queue) }];
    await broker.publish([{ message: messageOf("first", queue) }], { timeout: patience });
    proxy.use("dropReplies");
    expect(await broker.publish(outgoing, { timeout: 1_000 })).toMatchObject([
      { status: "unknown", error: { code: "BROKER_UNAVAILABLE" } },
    ]);
    proxy.use("pass");
    expect(await broker.publish(outgoing, { timeout: patience })).toEqual([{ status: "duplicate" }]);
    expect(await broker.admin?.depth(queue)).toMatchObject({ ready: 2 });
  });

  test("that was never sent rejects", async () => {
    const proxy = await proxied();
    const broker = await opened(redisList({ url: proxy.url }));
    proxy.use("refuse");
    const refused = proxy.waitFor("refused");
    proxy.reset();
    await refused;
    const publishing = broker.publish([{ message: messageOf("a", "q") }], { timeout: 300 });
    await expect(publishing).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", retryable: true });
  });

  test("in a hurry gives up a connection that never answers, as one with time would", async () => {
    const proxy = await proxied();
    const broker = await opened(redisList({ url: proxy.url, commandTimeout: "1s" }));
    const outgoing = [{ message: messageOf("a", randomUUID()) }];
    await broker.publish(outgoing, { timeout: patience });
    proxy.abandon();
    const hurry = async (): Promise<string | undefined> => {
      const [result] = await broker.publish(outgoing, { timeout: 200 }).catch(() => []);
      return result?.status;
    };
    while ((await hurry()) !== "duplicate");
  });
});

test("an attempt to open that ends late does not close what was opened after it", async () => {
  const proxy = await proxied();
  proxy.use("freeze");
  const connection = new Connection({ url: proxy.url, commandTimeout: "1s" }, { role: "commands" });
  onTestFinished(() => connection.close());
  const connected = proxy.waitFor("connection");
  const late = connection.open().catch((error: unknown) => error);
  await connected;
  connection.close();
  proxy.use("pass");
  await connection.open();
  expect(await late).toMatchObject({ code: "BROKER_UNAVAILABLE" });
  expect(await connection.call((client) => client.ping())).toBe("PONG");
});

test("a reply that came while the event loop was blocked counts", async () => {
  const broker = await opened(redisList({ url: redis.current().url, commandTimeout: "200ms" }));
  const queue = randomUUID();
  const outgoing = [{ message: messageOf("a", queue) }];
  await broker.publish([{ message: messageOf("first", queue) }], { timeout: patience });
  const publishing = broker.publish(outgoing, { timeout: patience });
  // The request leaves first, then nothing is read for longer than a reply may take.
  await new Promise(setImmediate);
  for (const until = performance.now() + 300; performance.now() < until; );
  expect(await publishing).toEqual([{ status: "accepted" }]);
});

test("an outage is told once, however often connecting fails", async () => {
  const proxy = await proxied();
  const broker = await opened(redisList({ url: proxy.url }));
  const events: BrokerEvent["type"][] = [];
  broker.on(({ type }) => events.push(type));
  proxy.use("refuse");
  proxy.reset();
  for (let attempt = 0; attempt < 4; attempt += 1) await proxy.waitFor("refused", { timeout: "10s" });
  expect(events).toEqual(["disconnected"]);
  const connected = new Promise<void>((resolve) => {
    broker.on(({ type }) => type === "connected" && resolve());
  });
  proxy.use("pass");
  await connected;
  expect(events).toEqual(["disconnected", "connected"]);
});

test("a password that is changed meanwhile ends a take that waits", async () => {
  const guarded = await startRedis({ password: "one-canary" });
  onTestFinished(() => guarded[Symbol.asyncDispose]());
  const broker = await opened(redisList({ url: guarded.url, commandTimeout: "1s" }));
  const consumer = await broker.consume("q", { window: 1, lease: 1_000 });
  const admin = operator(guarded.url);
  const taking = consumer.take(1, AbortSignal.timeout(3 * patience)).catch((reason: unknown) => reason);
  await admin.config("SET", "requirepass", "another");
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  const error = await taking;
  expect(error).toMatchObject({ retryable: false, message: expect.stringContaining("refuses") });
  expect(inspect(error)).not.toContain("canary");
});

test.each(["redis://user:canary@[bad", "redis://:canary@host:99999999"])(
  "the broken URL %s keeps its password",
  async (url) => {
    const makers = [() => redisList({ url }), () => redisResults({ url }), () => schemes.brokers?.["redis:"]?.(url)];
    for (const make of makers) {
      const connecting = (async () => opened(make() ?? redisList({ url })))();
      const error = await connecting.catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "URL_INVALID" });
      expect(inspect(error)).not.toContain("canary");
    }
  },
);

test("options of the user's client change neither keys nor replies nor time limits", async () => {
  const client = new Redis(redis.current().url, {
    keyPrefix: "app:",
    stringNumbers: true,
    commandTimeout: 300,
    blockingTimeout: 300,
  });
  onTestFinished(() => client.disconnect());
  const namespace = randomUUID();
  const [broker, results, state] = [
    await opened(redisList({ client, namespace })),
    await opened(redisResults({ client, namespace })),
    await opened(redisState({ client, namespace })),
  ];
  await state.put([{ key: ["a", "b"], value: new Uint8Array([1]) }]);
  expect((await state.list(["a"], { limit: 10 })).entries).toHaveLength(1);
  const waiting = results.wait("a", { signal: AbortSignal.timeout(patience) });
  await results.store([outcomeOf("a")]);
  expect(await waiting).toEqual(outcomeOf("a"));
  const consumer = await broker.consume("q", { window: 10, lease: 10_000 });
  const taking = consumer.take(1, AbortSignal.timeout(patience));
  await broker.publish([{ message: messageOf("a", "q") }], { timeout: patience });
  const [delivery] = await taking;
  if (delivery === undefined) throw new Error("nothing was taken");
  expect(await consumer.settle([{ kind: "ack", delivery }])).toEqual(["settled"]);
});

test("the rights that the README names are enough, for everything", async () => {
  const { readFile } = await import("node:fs/promises");
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const rules = /user taskferry on >password ([^`]*)```/.exec(readme)?.[1]?.trim().split(/\s+/) ?? [];
  const { url } = redis.current();
  await operator(url).call("ACL", "SETUSER", "limited", "reset", "on", ">pw", ...rules);
  const options = { url: url.replace("redis://", "redis://limited:pw@") };
  const broker = await opened(redisList(options));
  const results = await opened(redisResults(options));
  const state = await opened(redisState(options));
  const queue = randomUUID();
  const outgoing = [
    ...["a", "b", "c", "d"].map((id) => ({ message: messageOf(id, queue) })),
    { message: messageOf("high", queue, { priority: 9 }) },
    { message: messageOf("later", queue), delay: 60_000 },
  ];
  await broker.publish(outgoing, { timeout: patience });
  const consumer = await broker.consume(queue, { window: 5, lease: 10_000 });
  const deliveries = await consumer.take(5, AbortSignal.timeout(patience));
  await consumer.extend(deliveries);
  const [ack, retry, reject, release, rest] = deliveries;
  if (!ack || !retry?.message || !reject || !release || !rest) throw new Error("five deliveries were expected");
  await consumer.settle([
    { kind: "ack", delivery: ack },
    { kind: "retry", delivery: retry, next: { ...retry.message, hop: 1 }, delay: 0 },
    { kind: "reject", delivery: reject, reason: { code: "TASK_FAILED", message: "x", at: 1 } },
    { kind: "release", delivery: release },
  ]);
  const { admin } = broker;
  if (admin === undefined) throw new Error("an admin was expected");
  for (const section of ["ready", "delayed", "running", "dead"] as const) {
    const { cursor } = await admin.list(queue, { section, limit: 1 });
    if (cursor !== undefined) await admin.list(queue, { section, limit: 1, cursor });
    await admin.read(queue, section, "a");
    if (section === "running") continue;
    await admin.remove(queue, section, ["later:0:0"]);
    await admin.purge(queue, section);
  }
  await Promise.all([admin.depth(queue), admin.queues()]);

  const waiting = results.wait("acl", { signal: AbortSignal.timeout(patience) });
  await results.store([outcomeOf("acl")]);
  await waiting;
  await results.get(["acl"]);
  await results.delete(["acl"]);

  for (const prefix of [["z"], []]) {
    const changes = state.watch(prefix, AbortSignal.timeout(patience))[Symbol.asyncIterator]();
    await changes.next();
    await changes.return?.();
  }
  await state.put([
    { key: ["z"], value: new Uint8Array(1) },
    { key: ["y"], value: new Uint8Array(1), ttl: 1_000 },
  ]);
  await state.get([["z"]]);
  await state.list([], { limit: 10 });
  await state.delete([{ key: ["z"] }]);
  for (let round = 0; round < 2; round += 1) await state.increment(["c"], 1, { ttl: 1_000 });
  await state.add(["s"], ["a"], { ttl: 1_000 });
  await state.members(["s"]);
  await state.remove(["s"], ["a"]);
});
