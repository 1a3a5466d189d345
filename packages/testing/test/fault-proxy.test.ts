import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createFaultProxy, type PrivateServer, showLogsOnFailure, startRedis } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";
import { closing, connectionFailure, listen } from "./fixtures/tcp.ts";

describe("a fault proxy before Redis", () => {
  let redis: PrivateServer;

  beforeAll(async () => {
    redis = await startRedis({ appendOnly: "always" });
    return () => redis[Symbol.asyncDispose]();
  });

  beforeEach(async (context) => {
    showLogsOnFailure(context, redis);
    using direct = await converseWithRedis(redis);
    await direct.ask("FLUSHALL");
  });

  test("passes everything on and counts it", async () => {
    await using proxy = await createFaultProxy(redis);
    expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`);
    const closed = proxy.waitFor("closed");
    {
      using client = await converseWithRedis(proxy);
      const value = "v".repeat(3_000_000);
      expect(await client.ask("SET", "k", value)).toBe("OK");
      expect(await client.ask("GET", "k")).toBe(value);
      expect(proxy.counts.connections).toEqual({ open: 1, total: 1, refused: 0 });
      expect(proxy.counts.bytes.requests).toBeGreaterThan(3_000_000);
      expect(proxy.counts.bytes.replies).toBeGreaterThan(3_000_000);
      expect(proxy.counts.bytes.dropped).toBe(0);
    }
    await closed;
    expect(proxy.counts.connections).toEqual({ open: 0, total: 1, refused: 0 });
    expect(await clientsOf(redis)).toBe(1);
  });

  test("keeps the rest of the server's URL", async () => {
    await using proxy = await createFaultProxy({ ...addressOf(redis), url: "redis://user:p%40ss@example.org:1/3" });
    expect(proxy.url).toBe(`redis://user:p%40ss@127.0.0.1:${proxy.port}/3`);
    await using bare = await createFaultProxy(addressOf(redis));
    expect(bare.url).toBe(`tcp://127.0.0.1:${bare.port}`);
  });

  test("delays both ways, in order, on a connection that was open before", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    await client.ask("PING");
    proxy.use({ delay: 60 });
    const since = performance.now();
    const replies = await Promise.all(["a", "b", "c"].map((word) => client.ask("ECHO", word)));
    expect(replies).toEqual(["a", "b", "c"]);
    expect(performance.now() - since).toBeGreaterThanOrEqual(119);
    proxy.use({ delay: "10m" });
    const held = client.ask("ECHO", "d");
    await proxy.waitFor("request");
    proxy.use("pass");
    expect(await held).toBe("d");
  });

  test("throttles to so many bytes a second", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    proxy.use({ throttle: 100_000 });
    const since = performance.now();
    expect(await client.ask("SET", "k", "v".repeat(30_000))).toBe("OK");
    expect(performance.now() - since).toBeGreaterThanOrEqual(270);
    proxy.use("pass");
    expect(await client.ask("STRLEN", "k")).toBe(30_000);
  });

  test("freezes: takes connections, forwards nothing, closes nothing, loses nothing", async () => {
    await using proxy = await createFaultProxy(redis);
    using before = await converseWithRedis(proxy);
    await before.ask("PING");
    proxy.use("freeze");
    const taken = proxy.waitFor("connection");
    const during = await converseWithRedis(proxy);
    await taken;
    let answered = 0;
    const count = (): void => {
      answered += 1;
    };
    const replies = [before.ask("RPUSH", "list", "before"), during.ask("RPUSH", "list", "during")];
    for (const reply of replies) void reply.then(count);
    await proxy.waitFor("request", { match: ({ bytes }) => bytes.includes("during") });
    using direct = await converseWithRedis(redis);
    for (let n = 0; n < 20; n += 1) expect(await direct.ask("EXISTS", "list")).toBe(0);
    expect(answered).toBe(0);
    expect(proxy.counts.connections.open).toBe(2);

    proxy.use("pass");
    expect((await Promise.all(replies)).toSorted()).toEqual([1, 2]);
    const closed = proxy.waitFor("closed");
    during[Symbol.dispose]();
    await closed;
    expect(await before.ask("PING")).toBe("PONG");
  });

  test("tells a frozen client of the server's death only when it thaws", async () => {
    await using mortal = await startRedis();
    await using proxy = await createFaultProxy(mortal);
    using client = await converseWithRedis(proxy);
    await client.ask("PING");
    const closed = closing(client.socket);
    proxy.use("freeze");
    await mortal.kill();
    using late = await converseWithRedis(proxy);
    const lateClosed = closing(late.socket);
    // The proxy's own attempt to connect for the late one was made before these, so it has failed by now too.
    for (let n = 0; n < 10; n += 1) expect(await connectionFailure(mortal.port)).toBe("ECONNREFUSED");
    expect([client.socket.closed, late.socket.closed]).toEqual([false, false]);
    expect(proxy.counts.connections.open).toBe(2);
    proxy.use("pass");
    await closed;
    expect(await lateClosed).toBe("ECONNRESET");
  });

  test("abandons what is open, for good, while new connections pass", async () => {
    await using proxy = await createFaultProxy(redis);
    using before = await converseWithRedis(proxy);
    await before.ask("PING");
    proxy.abandon();
    const asked = proxy.waitFor("request");
    const reply = before.ask("RPUSH", "list", "before");
    await asked;
    proxy.use("freeze");
    proxy.use("pass");
    using after = await converseWithRedis(proxy);
    for (let n = 0; n < 20; n += 1) expect(await after.ask("EXISTS", "list")).toBe(0);
    expect(before.socket.closed).toBe(false);
    proxy.reset();
    await expect(reply).rejects.toThrow();
  });

  test("resets what is open, and takes new connections", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    await client.ask("PING");
    const end = closing(client.socket);
    const closed = proxy.waitFor("closed");
    proxy.reset();
    expect(await end).toBe("ECONNRESET");
    await closed;
    using again = await converseWithRedis(proxy);
    expect(await again.ask("PING")).toBe("PONG");
  });

  test("refuses new connections, and leaves open ones alone", async () => {
    await using proxy = await createFaultProxy(redis);
    using open = await converseWithRedis(proxy);
    proxy.use("refuse");
    const refused = proxy.waitFor("refused");
    await expect(converseWithRedis(proxy).then((c) => c.ask("PING"))).rejects.toMatchObject({ code: "ECONNRESET" });
    await refused;
    expect(await open.ask("PING")).toBe("PONG");
    expect(proxy.counts.connections).toEqual({ open: 1, total: 1, refused: 1 });
  });

  test("resets clients while the server is away, and serves them when it is back", async () => {
    await using mortal = await startRedis({ appendOnly: "always" });
    await using proxy = await createFaultProxy(mortal);
    using client = await converseWithRedis(proxy);
    await client.ask("SET", "k", "v");
    const gone = closing(client.socket);
    await mortal.kill();
    await gone;
    await expect(converseWithRedis(proxy).then((c) => c.ask("PING"))).rejects.toMatchObject({ code: "ECONNRESET" });
    await mortal.start();
    using again = await converseWithRedis(proxy);
    expect(await again.ask("GET", "k")).toBe("v");
  });
});

describe("a fault proxy", () => {
  test("passes the end of a stream on, one way at a time", async () => {
    await using home = await listen({ allowHalfOpen: true });
    await using proxy = await createFaultProxy({ host: "127.0.0.1", port: home.port });
    const arrived = home.nextConnection();
    const client = connect({ host: proxy.host, port: proxy.port });
    const server = await arrived;
    const ended = once(server, "end");
    client.end("the first word");
    await ended;
    const heard = once(client, "data");
    const closed = proxy.waitFor("closed");
    server.end("the last word");
    expect(String(await heard)).toBe("the last word");
    await closed;
  });

  test("gives the server, once it thaws, what a client sent that has gone since", async () => {
    await using home = await listen();
    await using proxy = await createFaultProxy({ host: "127.0.0.1", port: home.port });
    proxy.use("freeze");
    const arrived = home.nextConnection();
    const client = connect({ host: proxy.host, port: proxy.port });
    const server = await arrived;
    const asked = proxy.waitFor("request");
    client.write("a late order");
    await asked;
    client.destroy();
    const ended = closing(server);
    expect(home.received()).toBe("");
    proxy.use("pass");
    expect(await ended).toBeUndefined();
    expect(home.received()).toBe("a late order");
  });

  test("refuses modes that make no sense", async () => {
    await using proxy = await createFaultProxy({ host: "127.0.0.1", port: 1 });
    expect(() => proxy.use({ throttle: 0 })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(() => proxy.use({ delay: -1 })).toThrow(expect.objectContaining({ code: "DURATION_INVALID" }));
    expect(() => proxy.use({ delay: "soon" })).toThrow(expect.objectContaining({ code: "DURATION_INVALID" }));
  });

  test("ends waits and connections when it is disposed of", async () => {
    await using home = await listen();
    const proxy = await createFaultProxy({ host: "127.0.0.1", port: home.port });
    const arrived = home.nextConnection();
    using client = await converseWithRedis(proxy);
    await arrived;
    proxy.use("freeze");
    const never = proxy.waitFor("cut");
    const closed = closing(client.socket);
    await proxy[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
    expect(await closed).toBe("ECONNRESET");
    await expect(never).rejects.toMatchObject({ code: "PROXY_CLOSED" });
    await expect(converseWithRedis(proxy)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

async function clientsOf(redis: PrivateServer): Promise<number> {
  using direct = await converseWithRedis(redis);
  return String(await direct.ask("CLIENT", "LIST"))
    .trim()
    .split("\n").length;
}

function addressOf({ host, port }: { readonly host: string; readonly port: number }): { host: string; port: number } {
  return { host, port };
}
