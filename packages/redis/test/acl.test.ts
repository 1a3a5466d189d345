import { readFile } from "node:fs/promises";
import { startRedis } from "@taskferry/testing";
import { expect, onTestFinished, test } from "vitest";
import { redisPubSub, redisResults, redisState } from "../src/index.ts";
import { messageOf, opened, operator, outcomeOf, patience, queueBrokers } from "./fixtures/values.ts";

/** The rules of the README, for a user with a password. */
async function documentedRules(): Promise<readonly string[]> {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const blocks = [...readme.matchAll(/```\n((?:user taskferry on|\s+\+xadd)[^`]+)```/g)].map(([, block = ""]) => block);
  expect(blocks).toHaveLength(2);
  return blocks
    .join(" ")
    .split(/\s+/)
    .filter((word) => word !== "" && word !== "user" && word !== "taskferry");
}

test("the permissions that the README names suffice for all that is done", async () => {
  const server = await startRedis();
  onTestFinished(() => server[Symbol.asyncDispose]());
  const admin = operator(server.url);
  await admin.call("ACL", "SETUSER", "taskferry", ...(await documentedRules()));
  const url = `redis://taskferry:password@${server.host}:${server.port}`;
  for (const [, create] of queueBrokers) {
    const broker = await opened(create({ url }));
    const publish = (id: string, more: object = {}, delay = 0) =>
      broker.publish([{ message: messageOf(id, "q", more), delay }], { timeout: patience });
    for (const id of ["acked", "retried", "rejected", "released"]) {
      expect(await publish(id)).toEqual([{ status: "accepted" }]);
    }
    await publish("high", { priority: 9 });
    await publish("low", { priority: 0 });
    await publish("later", {}, 1);
    await publish("much-later", {}, 60_000);
    const consumer = await broker.consume("q", { window: 100, lease: 30_000 });
    const idle = await broker.consume("empty", { window: 1, lease: 30_000 });
    expect(await idle.take(1, AbortSignal.timeout(50))).toEqual([]);
    const held = [...(await consumer.take(3, AbortSignal.timeout(patience)))];
    while (held.length < 7) held.push(...(await consumer.take(7, AbortSignal.timeout(patience))));
    expect(await consumer.extend(held)).toEqual([]);
    const [ack, retry, reject, release] = held;
    if (!ack || !retry?.message || !reject || !release) throw new Error("four deliveries were expected");
    const reason = { code: "TASK_FAILED", message: "x", at: 1 } as const;
    expect(
      await consumer.settle([
        { kind: "ack", delivery: ack },
        { kind: "retry", delivery: retry, next: { ...retry.message, hop: 1 }, delay: 0 },
        { kind: "reject", delivery: reject, reason },
        { kind: "release", delivery: release },
      ]),
    ).toEqual(["settled", "settled", "settled", "settled"]);
    await consumer.close();
    const sections = ["ready", "delayed", "running", "dead"] as const;
    for (const section of sections) {
      const page = await broker.admin?.list("q", { section, limit: 1 });
      if (page?.cursor !== undefined) await broker.admin?.list("q", { section, limit: 1, cursor: page.cursor });
      await broker.admin?.read("q", section, page?.entries[0]?.key ?? "none");
      await broker.admin?.read("q", section, "none");
      if (section !== "running") await broker.admin?.remove("q", section, [page?.entries[0]?.key ?? "none"]);
      if (section !== "running") await broker.admin?.purge("q", section);
    }
    expect(await broker.admin?.queues()).toContain("q");
    expect(await broker.admin?.depth("q")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
  }
  const broadcast = await opened(redisPubSub({ url }));
  const listener = await broadcast.consume("q", { window: 1, lease: 1_000 });
  await broadcast.publish([{ message: messageOf("heard", "q") }], { timeout: patience });
  expect(await listener.take(1, AbortSignal.timeout(patience))).toHaveLength(1);
  const results = await opened(redisResults({ url }));
  const waiting = results.wait("a", { signal: AbortSignal.timeout(patience) });
  await results.store([outcomeOf("a")]);
  expect(await waiting).toEqual(outcomeOf("a"));
  const state = await opened(redisState({ url }));
  await state.put([{ key: ["a", "b"], value: new Uint8Array([1]), ttl: 60_000 }]);
  expect((await state.list(["a"], { limit: 10 })).entries).toHaveLength(1);
  await state.add(["s"], ["m"], { ttl: 60_000 });
  expect(await state.members(["s"])).toEqual(["m"]);
  expect(await state.increment(["n"], 1, { ttl: 60_000 })).toMatchObject({ value: 1 });
});
