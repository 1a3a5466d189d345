import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isTestingError, showLogsOnFailure, startNats, startNatsCluster } from "../src/index.ts";
import { converseWithNats } from "../src/servers/nats-conversation.ts";

const stream = "$JS.API.STREAM";

describe("a private NATS", () => {
  test("answers as soon as it has started, and keeps its streams over kill -9", async (context) => {
    await using nats = await startNats();
    showLogsOnFailure(context, nats);
    expect(nats.url).toBe(`nats://127.0.0.1:${nats.port}`);
    {
      using client = await converseWithNats(nats);
      await client.ping();
      expect(await client.request(`${stream}.CREATE.S`, { name: "S", subjects: ["s.>"] })).not.toHaveProperty("error");
      expect(await client.request("s.1", { n: 1 })).toMatchObject({ stream: "S", seq: 1 });
    }
    const { port, pid } = nats;
    await nats.kill();
    expect(nats.pid).toBeUndefined();
    await nats.start();
    expect(nats.port).toBe(port);
    expect(nats.pid).not.toBe(pid);
    using after = await converseWithNats(nats);
    expect(await after.request(`${stream}.INFO.S`)).toMatchObject({ state: { messages: 1 } });
  });

  test("takes its options", async () => {
    await using nats = await startNats({
      jetStream: { maxStore: "1MB" },
      users: [
        { user: "first", password: 'a "secret" p@ss/word' },
        { user: "second", password: "b", permissions: { publish: ["only"], subscribe: ["_INBOX.>"] } },
      ],
      config: ["max_payload: 2000000"],
    });
    expect(decodeURIComponent(new URL(nats.url).password)).toBe('a "secret" p@ss/word');
    using stranger = await converseWithNats({ host: nats.host, port: nats.port });
    await expect(stranger.ping()).rejects.toThrow("Authorization Violation");
    const { host, port } = nats;
    using client = await converseWithNats({ host, port, user: "first", password: 'a "secret" p@ss/word' });
    await client.ping();
    expect(client.info["max_payload"]).toBe(2_000_000);
    const tooLarge = { name: "S", subjects: ["s"], max_bytes: 2_000_000 };
    expect(await client.request(`${stream}.CREATE.S`, tooLarge)).toHaveProperty("error");
    using second = await converseWithNats({ host, port, user: "second", password: "b" });
    await expect(second.request("other")).rejects.toThrow("Permissions Violation");
  });

  test("has no JetStream where none is wanted", async () => {
    await using nats = await startNats({ jetStream: false });
    using client = await converseWithNats(nats);
    await expect(client.request("$JS.API.INFO")).rejects.toThrow("503");
  });

  test("says why it did not come up, and leaves nothing behind", async () => {
    const failure = await startNats({ config: ["no_such_directive: yes"] }).catch((error: unknown) => error);
    expect(failure).toSatisfy((error) => isTestingError(error, "SERVER_NOT_READY"));
    expect(String(failure)).toContain("no_such_directive");
  });

  test("stops in good order, and its directory goes with it", async () => {
    const nats = await startNats();
    await nats.restart();
    await nats.stop();
    expect(nats.pid).toBeUndefined();
    await nats[Symbol.asyncDispose]();
    expect(existsSync(nats.directory)).toBe(false);
  });
});

describe("a cluster of three", () => {
  test("has a leader for a stream, which hands over when asked and is replaced when killed", async (context) => {
    await using cluster = await startNatsCluster();
    showLogsOnFailure(context, ...cluster.servers);
    {
      using client = await converseWithNats(cluster.servers[0]);
      const body = { name: "S", subjects: ["s.>"], num_replicas: 3 };
      expect(await client.request(`${stream}.CREATE.S`, body)).not.toHaveProperty("error");
    }
    const first = await cluster.leaderOf("S");
    await cluster.stepDown("S");
    const second = await cluster.leaderOf("S");
    expect(second.port).not.toBe(first.port);
    await second.kill();
    await expect.poll(async () => (await cluster.leaderOf("S")).port, { timeout: 20_000 }).not.toBe(second.port);
  });
});
