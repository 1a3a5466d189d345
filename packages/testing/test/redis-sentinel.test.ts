import { expect, test } from "vitest";
import { showLogsOnFailure, startRedisSentinel } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";

test("sentinels name another master on request and after its death, and nothing replicated is lost", async (context) => {
  await using group = await startRedisSentinel();
  showLogsOnFailure(context, ...group.sentinels, ...group.nodes);
  const first = await group.master();
  using before = await converseWithRedis(first);
  await before.ask("SET", "key", "kept");
  const read = async () => {
    using redis = await converseWithRedis(await group.master());
    return await redis.ask("GET", "key");
  };

  await group.replicated();
  await group.failOver();
  const second = await group.master();
  expect(second.port).not.toBe(first.port);
  expect(await read()).toBe("kept");

  await group.replicated();
  expect((await group.killMaster()).port).toBe(second.port);
  expect((await group.master()).port).toBe(first.port);
  expect(await read()).toBe("kept");
});
