import { randomUUID } from "node:crypto";
import { createFaultProxy, type FaultProxy } from "@taskferry/testing";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { redisResults, redisState } from "../src/index.ts";
import { opened, outcomeOf } from "./fixtures/values.ts";
import { privateRedis } from "./harness.ts";

const redis = privateRedis();

/** Nothing comes any more, and nothing says so: as when a firewall on the way has forgotten the connections. */
describe("connections that fall silent", () => {
  let proxy: FaultProxy;

  beforeEach(async () => {
    proxy = await createFaultProxy(redis.current());
    onTestFinished(() => proxy[Symbol.asyncDispose]());
  });

  test("a watch finds out what it missed", async () => {
    const state = await opened(redisState({ url: proxy.url, commandTimeout: "1s" }));
    const other = await opened(redisState({ url: redis.current().url }));
    const segment = randomUUID();
    const changes = state.watch([segment], AbortSignal.timeout(28_000))[Symbol.asyncIterator]();
    await changes.next();
    proxy.abandon();
    await other.put([{ key: [segment, "a"], value: new Uint8Array([1]) }]);
    expect((await changes.next()).value).toEqual({ type: "gap" });
    expect((await changes.next()).value).toMatchObject({ type: "snapshot", entries: [{ key: [segment, "a"] }] });
    await other.put([{ key: [segment, "b"], value: new Uint8Array([2]) }]);
    expect((await changes.next()).value).toMatchObject({ type: "put", entry: { key: [segment, "b"] } });
  });

  test("waits get a new subscription, not only the slow look", async () => {
    const results = await opened(redisResults({ url: proxy.url, commandTimeout: "1s" }));
    const other = await opened(redisResults({ url: redis.current().url }));
    const id = randomUUID();
    const waiting = results.wait(id, { signal: AbortSignal.timeout(28_000) });
    await results.get([id]);
    proxy.abandon();
    const subscribed = proxy.waitFor("request", {
      match: ({ bytes }) => bytes.includes("subscribe") && bytes.includes(id),
      timeout: "25s",
    });
    await subscribed;
    await other.store([outcomeOf(id)]);
    expect(await waiting).toEqual(outcomeOf(id));
  });
});
