import { connect } from "node:net";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createFaultProxy, type PrivateServer, showLogsOnFailure, startRedis } from "../src/index.ts";
import { converseWithRedis } from "../src/servers/redis-conversation.ts";
import { closing, listen } from "./fixtures/tcp.ts";

describe("a fault proxy that loses replies", () => {
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

  test("drops replies while the server does what it was asked", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    await client.ask("PING");
    proxy.use("dropReplies");
    const dropped = proxy.waitFor("dropped");
    let answered = false;
    const lost = client.ask("SET", "k", "v").finally(() => {
      answered = true;
    });
    expect((await dropped).bytes.toString()).toBe("+OK\r\n");
    using direct = await converseWithRedis(redis);
    expect(await direct.ask("GET", "k")).toBe("v");
    expect(answered).toBe(false);
    expect(proxy.counts.bytes.dropped).toBe(5);
    const failed = expect(lost).rejects.toThrow();
    proxy.reset();
    await failed;
  });

  test("drops one reply, whole, and then no more", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    const value = "v".repeat(2_000_000);
    await client.ask("SET", "k", value);
    proxy.dropNextReply();
    const dropped = proxy.waitFor("dropped", { match: () => proxy.counts.bytes.dropped > 2_000_000 });
    // Nobody answers the first, so the second's answer is taken for it.
    const first = client.ask("GET", "k");
    await dropped;
    const second = client.ask("PING");
    expect(await first).toBe("PONG");
    expect(proxy.counts.bytes.dropped).toBe(value.length + "$2000000\r\n\r\n".length);
    client[Symbol.dispose]();
    await expect(second).rejects.toThrow("closed");
  });

  test("cuts after a request: it was done, and the reply was lost", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    using other = await converseWithRedis(proxy);
    proxy.cutAfterRequest({ request: (bytes) => bytes.includes("INCR") });
    expect(await client.ask("SET", "k", "1")).toBe("OK");
    const cut = proxy.waitFor("cut");
    await expect(client.ask("INCR", "k")).rejects.toMatchObject({ code: "ECONNRESET" });
    expect((await cut).connection).toBe(1);
    expect(await other.ask("INCR", "k")).toBe(3);
    expect(proxy.counts.connections).toMatchObject({ open: 1, total: 2 });
  });

  test("cuts within a pipeline: all of it was done, and no reply came", async () => {
    await using proxy = await createFaultProxy(redis);
    using client = await converseWithRedis(proxy);
    proxy.cutAfterRequest({ request: (bytes) => bytes.includes("499") });
    const cut = proxy.waitFor("cut");
    const asked = Array.from({ length: 1_000 }, (_, n) => client.ask("RPUSH", "list", String(n)));
    const answers = await Promise.allSettled(asked);
    await cut;
    using direct = await converseWithRedis(redis);
    const done = Number(await direct.ask("LLEN", "list"));
    const answered = answers.filter(({ status }) => status === "fulfilled").length;
    expect(done).toBeGreaterThanOrEqual(500);
    expect(answered).toBeLessThan(500);
  });

  test("cuts once for each time it was asked to, on the reply that was named", async () => {
    await using proxy = await createFaultProxy(redis);
    proxy.cutAfterRequest({
      request: (bytes) => bytes.includes("PUBLISH"),
      reply: (bytes) => bytes.includes(":1\r\n"),
    });
    proxy.cutAfterRequest();
    using listener = await converseWithRedis(proxy);
    await listener.ask("SUBSCRIBE", "news");
    for (let n = 0; n < 2; n += 1) {
      using client = await converseWithRedis(proxy);
      const cut = proxy.waitFor("cut");
      await expect(client.ask("PUBLISH", "news", "item")).rejects.toMatchObject({ code: "ECONNRESET" });
      await cut;
    }
    using client = await converseWithRedis(proxy);
    expect(await client.ask("PUBLISH", "news", "item")).toBe(1);
  });
});

describe("a fault proxy that cuts", () => {
  test("cuts on the reply that was named, and lets the server have all that was sent", async () => {
    await using home = await listen();
    await using proxy = await createFaultProxy({ host: "127.0.0.1", port: home.port });
    proxy.cutAfterRequest({
      request: (bytes) => bytes.includes("question"),
      reply: (bytes) => bytes.includes("the answer"),
    });
    const arrived = home.nextConnection();
    const client = connect({ host: proxy.host, port: proxy.port }).resume();
    const [clientEnd, cut] = [closing(client), proxy.waitFor("cut")];
    const server = await arrived;
    const serverEnd = closing(server);

    const [asked, pushed] = [proxy.waitFor("request"), proxy.waitFor("dropped")];
    client.write("question, ");
    await asked;
    server.write("something else");
    await pushed;
    expect(client.closed).toBe(false);

    // More requests are on their way when the answer comes, in two pieces.
    proxy.use({ delay: 100 });
    const more = proxy.waitFor("request");
    client.write("and another thing");
    await more;
    const half = proxy.waitFor("dropped");
    server.write("the ans");
    await half;
    expect(client.closed).toBe(false);
    server.write("wer");
    expect(await clientEnd).toBe("ECONNRESET");
    await cut;
    expect(await serverEnd).toBeUndefined();
    expect(home.received()).toBe("question, and another thing");
    expect(proxy.counts.bytes.replies).toBe(0);
  });
});
