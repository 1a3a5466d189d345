import { expect, test } from "vitest";
import { showLogsOnFailure, startRedisCluster } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";

test("a cluster survives a failover, the move of a slot and the death of a master with what it has", async (context) => {
  await using cluster = await startRedisCluster();
  showLogsOnFailure(context, ...cluster.nodes);
  const key = "{tag}:key";
  const names = Array.from({ length: 20 }, (_, index) => `{tag}:${index}`);
  const first = await cluster.masterOf(key);
  using before = await converseWithRedis(first);
  for (const name of [key, ...names]) await before.ask("SET", name, "kept");
  const read = async () => {
    using redis = await converseWithRedis(await cluster.masterOf(key));
    return await Promise.all([key, ...names].map((name) => redis.ask("GET", name)));
  };
  const all = [key, ...names].map(() => "kept");

  await cluster.failOver(key);
  const second = await cluster.masterOf(key);
  expect(second.port).not.toBe(first.port);
  expect(await read()).toEqual(all);

  let wasHalfway = false;
  await cluster.moveSlot(key, async () => {
    wasHalfway = true;
    using redis = await converseWithRedis(second);
    const answers = await Promise.allSettled(names.map((name) => redis.ask("GET", name)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses, "keys here and keys that moved").toEqual(expect.arrayContaining(["fulfilled", "rejected"]));
  });
  expect(wasHalfway).toBe(true);
  const third = await cluster.masterOf(key);
  expect([first.port, second.port]).not.toContain(third.port);
  expect(await read()).toEqual(all);

  await cluster.replicated(key);
  expect((await cluster.killMaster(key)).port).toBe(third.port);
  expect(await read()).toEqual(all);
});
