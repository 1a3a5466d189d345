import { expect, test } from "vitest";
import { natsResults, natsState, schemes } from "../src/index.ts";
import { ask, opened, operator, outcomeOf, type StreamState } from "./fixtures/values.ts";
import { privateNats } from "./harness.ts";

const server = privateNats();

test("what has expired in the state is removed, and what stays is kept", async () => {
  const options = { url: server.current().url, namespace: "swept", sweepInterval: "1s" };
  const state = await opened(natsState(options));
  const others = await opened(natsState(options));
  await state.put([
    { key: ["brief"], value: Buffer.from("v"), ttl: 100 },
    { key: ["stays"], value: Buffer.from("v") },
    { key: ["deleted"], value: Buffer.from("v") },
  ]);
  await state.increment(["brief"], 1, { ttl: 100 });
  await others.add(["brief"], ["member"], { ttl: 100 });
  await state.delete([{ key: ["deleted"] }]);
  const connection = await operator(server.current().url);
  const keys = async () => {
    const info = await ask<{ readonly state: { readonly subjects?: object } }>(
      connection,
      "STREAM.INFO.KV_swept_state",
      {
        subjects_filter: ">",
      },
    );
    return Object.keys(info.state.subjects ?? {}).sort();
  };
  await expect.poll(keys, { timeout: 10_000 }).toEqual(["$KV.swept_state.e.stays", "$KV.swept_state.m.sweep"]);
});

test("the server keeps outcomes for as long as the longest asked for", async () => {
  const connection = await operator(server.current().url);
  const maxAge = async () =>
    (await ask<StreamState>(connection, "STREAM.INFO.KV_aged_results")).config.max_age / 3.6e12;
  const results = await opened(natsResults({ url: server.current().url, namespace: "aged" }));
  await results.store([outcomeOf("short", 1_000)]);
  expect(await maxAge()).toBe(25);
  await results.store([outcomeOf("long", 72 * 3_600_000)]);
  expect(await maxAge()).toBe(72);
  const others = await opened(natsResults({ url: server.current().url, namespace: "aged" }));
  await others.store([outcomeOf("middle", 48 * 3_600_000)]);
  expect(await maxAge()).toBe(72);
});

test("a hot counter is counted in one write by all callers of a process", async () => {
  const state = await opened(natsState({ url: server.current().url, namespace: "hot" }));
  const calls = Array.from({ length: 500 }, () => state.increment(["hot"], 1, { ttl: 60_000 }));
  expect((await Promise.all(calls)).at(-1)).toEqual({ value: 500, added: true });
  const connection = await operator(server.current().url);
  const info = await ask<{ readonly state: { readonly last_seq: number } }>(connection, "STREAM.INFO.KV_hot_state");
  expect(info.state.last_seq).toBeLessThan(10);
});

test("a revision that expired meets no condition, though its number still stands", async () => {
  const state = await opened(natsState({ url: server.current().url, namespace: "met" }));
  const [written] = await state.put([{ key: ["k"], value: Buffer.from("v"), ttl: 50 }]);
  if (written?.status !== "written") throw new Error("Expected the first put to be written.");
  await expect.poll(() => state.get([["k"]]), { timeout: 10_000 }).toEqual([undefined]);
  const late = { key: ["k"], value: Buffer.from("late"), expect: { revision: written.revision } };
  expect(await state.put([late])).toEqual([{ status: "conflict", current: undefined }]);
});

test("URLs stand for what their schemes say", () => {
  const url = "nats://user:pass@host:4222?namespace=blue&replicas=3&dedupeWindow=10m&maxMessageBytes=65536";
  expect(schemes.brokers?.["nats:"]?.(url)).toMatchObject({
    name: "nats",
    capabilities: { dedupeWindow: 600_000, maxMessageBytes: 65_536 },
  });
  expect(schemes.brokers?.["nats+core:"]?.("nats+core://host")).toMatchObject({ name: "nats-core" });
  expect(schemes.brokers?.["nats+fanout:"]?.("nats+fanout://host")).toMatchObject({
    capabilities: { receivers: "every" },
  });
  expect(schemes.results?.["nats:"]?.(url)).toMatchObject({ name: "nats-results" });
  expect(schemes.states?.["nats:"]?.(url)).toMatchObject({ name: "nats-state" });
  expect(() => schemes.brokers?.["nats:"]?.("nats://host?namespace=a.b")).toThrow("namespace");
});

test("values are read on when the stream stops answering directly", async () => {
  const connection = await operator(server.current().url);
  const results = await opened(natsResults({ url: server.current().url, namespace: "direct", commandTimeout: "2s" }));
  await results.store([outcomeOf("a")]);
  const { config } = await ask<{ readonly config: object }>(connection, "STREAM.INFO.KV_direct_results");
  // A server answers directly whatever keeps the last of each subject.
  const changed = { ...config, max_msgs_per_subject: -1, allow_direct: false };
  expect(await ask(connection, "STREAM.UPDATE.KV_direct_results", changed)).toMatchObject({
    config: { allow_direct: false },
  });
  expect((await results.get(["a"]))[0]?.id).toBe("a");
});
