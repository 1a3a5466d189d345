import { once } from "node:events";
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isTestingError, requireServer, showLogsOnFailure, spawnServer, startRedis } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";
import { connectionFailure, listen } from "./fixtures/tcp.ts";

describe("a private Redis", () => {
  test("answers as soon as it has started, on its own port and in its own directory", async (context) => {
    await using redis = await startRedis();
    showLogsOnFailure(context, redis);
    await using other = await startRedis();
    expect(other.port).not.toBe(redis.port);
    expect(redis.url).toBe(`redis://127.0.0.1:${redis.port}`);

    using client = await converseWithRedis(redis);
    expect(await client.ask("SET", "k", "v")).toBe("OK");
    expect(await client.ask("GET", "k")).toBe("v");
    expect(await client.ask("CONFIG", "GET", "dir")).toEqual(["dir", redis.directory]);
    using elsewhere = await converseWithRedis(other);
    expect(await elsewhere.ask("GET", "k")).toBeNull();
  });

  test("keeps what it acknowledged over kill -9 when it appends always", async (context) => {
    await using redis = await startRedis({ appendOnly: "always" });
    showLogsOnFailure(context, redis);
    const { port, pid } = redis;
    using before = await converseWithRedis(redis);
    for (let n = 0; n < 100; n += 1) await before.ask("RPUSH", "list", String(n));

    const cut = once(before.socket, "close");
    await redis.kill();
    await cut;
    expect(redis.pid).toBeUndefined();
    expect(await connectionFailure(port)).toBe("ECONNREFUSED");

    await redis.start();
    expect(redis.port).toBe(port);
    expect(redis.pid).not.toBe(pid);
    using after = await converseWithRedis(redis);
    expect(await after.ask("LRANGE", "list", "0", "-1")).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
  });

  test("forgets everything over kill -9 when it appends nothing", async () => {
    await using redis = await startRedis();
    using before = await converseWithRedis(redis);
    await before.ask("SET", "k", "v");
    await redis.kill();
    await redis.start();
    using after = await converseWithRedis(redis);
    expect(await after.ask("GET", "k")).toBeNull();
  });

  test("restarts in good order, and stops a paused server too", async () => {
    await using redis = await startRedis({ appendOnly: "no" });
    using before = await converseWithRedis(redis);
    await before.ask("SET", "k", "v");
    await redis.restart();
    using after = await converseWithRedis(redis);
    expect(await after.ask("GET", "k")).toBe("v");
    await redis.pause();
    await redis.stop();
    expect(redis.logs()).toContain("Received SIGTERM");
    expect(redis.pid).toBeUndefined();
  });

  test("answers nothing while paused, and everything after", async () => {
    await using redis = await startRedis();
    using client = await converseWithRedis(redis);
    await redis.pause();
    let answered = false;
    const reply = client.ask("PING").finally(() => {
      answered = true;
    });
    // The system still takes connections for it. By the time one is made, a running server would have answered the PING.
    for (let n = 0; n < 10; n += 1) expect(await connectionFailure(redis.port)).toBeUndefined();
    expect(answered).toBe(false);
    redis.resume();
    expect(await reply).toBe("PONG");
  });

  test("takes its options", async () => {
    await using redis = await startRedis({
      password: 'a "secret" p@ss/word',
      maxMemory: { bytes: "8mb", policy: "allkeys-lru" },
      config: ["hash-max-listpack-entries 7"],
      args: ["--loglevel", "debug"],
    });
    expect(decodeURIComponent(new URL(redis.url).password)).toBe('a "secret" p@ss/word');
    using stranger = await converseWithRedis({ host: redis.host, port: redis.port });
    await expect(stranger.ask("PING")).rejects.toThrow("NOAUTH");
    using client = await converseWithRedis({ ...addressOf(redis), password: 'a "secret" p@ss/word' });
    expect(await client.ask("CONFIG", "GET", "maxmemory")).toEqual(["maxmemory", String(8 * 1024 * 1024)]);
    expect(await client.ask("CONFIG", "GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "allkeys-lru"]);
    expect(await client.ask("CONFIG", "GET", "hash-max-listpack-entries")).toEqual(["hash-max-listpack-entries", "7"]);
    expect(await client.ask("CONFIG", "GET", "loglevel")).toEqual(["loglevel", "debug"]);
    expect(await client.ask("CONFIG", "GET", "appendonly")).toEqual(["appendonly", "no"]);
  });

  test("runs as a cluster of one, before and after a restart", async () => {
    await using redis = await startRedis({ cluster: true, appendOnly: "always" });
    using client = await converseWithRedis(redis);
    expect(await client.ask("SET", "k", "v")).toBe("OK");
    await expect(client.ask("MSET", "a", "1", "b", "2")).rejects.toThrow("CROSSSLOT");
    const [[from, to, [host, port]]] = (await client.ask("CLUSTER", "SLOTS")) as [[number, number, [string, number]]];
    expect([from, to, host, port]).toEqual([0, 16_383, "127.0.0.1", redis.port]);
    await redis.kill();
    await redis.start();
    using after = await converseWithRedis(redis);
    expect(await after.ask("GET", "k")).toBe("v");
  });

  test("copies another server, and is in step with it once it has started", async () => {
    await using leader = await startRedis({ password: "one" });
    using writer = await converseWithRedis({ ...addressOf(leader), password: "one" });
    await writer.ask("SET", "k", "v");
    await using copy = await startRedis({ replicaOf: { ...addressOf(leader), password: "one" } });
    using reader = await converseWithRedis(copy);
    expect(await reader.ask("GET", "k")).toBe("v");
    await expect(reader.ask("SET", "k", "w")).rejects.toThrow("READONLY");

    await leader.pause();
    await expect(startRedis({ replicaOf: addressOf(leader), startTimeout: 300 })).rejects.toMatchObject({
      code: "SERVER_NOT_READY",
      message: expect.stringContaining("Expected the link to the server it copies to be up, got down."),
    });
  });

  test("says why it did not come up, and leaves nothing behind", async () => {
    const failure = await startRedis({ config: ["no-such-directive yes"] }).catch((error: unknown) => error);
    expect(failure).toSatisfy((error) => isTestingError(error, "SERVER_NOT_READY"));
    expect(String(failure)).toContain("no-such-directive");
    expect(String(failure)).toContain("ended with code 1");
  });

  test("refuses calls that make no sense where it stands", async () => {
    const redis = await startRedis();
    await expect(redis.start()).rejects.toMatchObject({ code: "SERVER_RUNNING" });
    await redis.kill();
    await redis.kill();
    await redis.stop();
    await expect(redis.pause()).rejects.toMatchObject({ code: "SERVER_NOT_RUNNING" });
    await redis[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
    expect(existsSync(redis.directory)).toBe(false);
    expect(redis.logs()).toContain("Ready to accept connections");
    await expect(redis.start()).rejects.toMatchObject({ code: "SERVER_CLOSED" });
  });

  test("says that somebody else has its port when it comes back, another Redis included", async (context) => {
    await using redis = await startRedis();
    await redis.kill();
    await using squatter = await listen({ port: redis.port });
    await expect(redis.start()).rejects.toMatchObject({
      code: "SERVER_PORT_TAKEN",
      message: expect.stringContaining("Address already in use"),
    });
    await squatter[Symbol.asyncDispose]();
    {
      await using other = await spawnServer({
        name: "other-redis",
        command: await requireServer("redis"),
        args: () => ["--bind", redis.host, "--port", String(redis.port)],
        url: () => redis.url,
        ready: async () => converseWithRedis(redis).then((client) => client[Symbol.dispose]()),
        portTaken: /Address already in use/,
      });
      showLogsOnFailure(context, other);
      await expect(redis.start()).rejects.toMatchObject({ code: "SERVER_PORT_TAKEN" });
    }
    await redis.start();
    using client = await converseWithRedis(redis);
    expect(await client.ask("PING")).toBe("PONG");
  });
});

function addressOf({ host, port }: { readonly host: string; readonly port: number }): { host: string; port: number } {
  return { host, port };
}
