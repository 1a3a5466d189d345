import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startNats, startRabbitmq, startRedis } from "@taskferry/testing";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "..");

describe("each example prints what it says", () => {
  const names = ["hello", "retry", "cancel", "limits", "claim", "workflow", "schedule", "isolation"];
  const extensions = ["dependencies", "middlewares", "formats", "protected", "tracing", "metrics", "fastify"];

  test.each([...names, ...extensions])("%s", async (name) => {
    expect(await run(name, {})).toBe(await expected(name));
  });

  test("broadcast over memory", async () => {
    expect(await run("broadcast", { TASKFERRY_BROKER: "memory:" })).toBe(await expected("broadcast"));
  });

  test.each(["memory:", "sqlite:queue.db"])("swap-broker over %s", async (broker) => {
    expect(await run("swap-broker", { TASKFERRY_BROKER: await inTemporaryFolder(broker) })).toBe(
      await expected("swap-broker"),
    );
  });

  describe("swap-broker over a server", () => {
    const servers = privateServers();

    test.each([
      ["a Redis list", () => ({ TASKFERRY_BROKER: servers.redis })],
      ["a Redis stream", () => ({ TASKFERRY_BROKER: servers.redis.replace("redis:", "redis+stream:") })],
      ["JetStream", () => ({ TASKFERRY_BROKER: servers.nats })],
      ["RabbitMQ", () => ({ TASKFERRY_BROKER: servers.rabbitmq })],
      [
        "RabbitMQ with results in Redis",
        () => ({ TASKFERRY_BROKER: servers.rabbitmq, TASKFERRY_RESULTS: servers.redis }),
      ],
      ["JetStream with results in Redis", () => ({ TASKFERRY_BROKER: servers.nats, TASKFERRY_RESULTS: servers.redis })],
    ])("%s", async (_, env) => {
      expect(await run("swap-broker", env())).toBe(await expected("swap-broker"));
    });

    test("sqlite with results in Redis", async () => {
      const broker = await inTemporaryFolder("sqlite:queue.db");
      expect(await run("swap-broker", { TASKFERRY_BROKER: broker, TASKFERRY_RESULTS: servers.redis })).toBe(
        await expected("swap-broker"),
      );
    });

    test.each([
      ["Redis", () => servers.redis],
      ["RabbitMQ", () => servers.rabbitmq],
      ["NATS", () => servers.nats],
    ])("broadcast over %s", async (_, url) => {
      expect(await run("broadcast", { TASKFERRY_BROKER: url() })).toBe(await expected("broadcast"));
    });

    test.each([
      ["a Redis list", () => servers.redis],
      ["JetStream", () => servers.nats],
    ])("protected over %s", async (_, url) => {
      expect(await run("protected", { TASKFERRY_BROKER: url() })).toBe(await expected("protected"));
    });

    test.each([
      ["a Redis stream", () => servers.redis.replace("redis:", "redis+stream:")],
      ["RabbitMQ", () => servers.rabbitmq],
      ["JetStream", () => servers.nats],
    ])("tracing over %s, results in Redis", async (_, url) => {
      const env = { TASKFERRY_BROKER: url(), TASKFERRY_RESULTS: servers.redis };
      expect(await run("tracing", env)).toBe(await expected("tracing"));
    });

    test.each([
      ["a Redis stream", () => servers.redis.replace("redis:", "redis+stream:")],
      ["JetStream", () => servers.nats],
    ])("workflow over %s", async (_, url) => {
      expect(await run("workflow", { TASKFERRY_BROKER: url() })).toBe(await expected("workflow"));
    });
  });
});

/** One server of each kind for all examples. */
function privateServers(): Record<"nats" | "rabbitmq" | "redis", string> {
  const urls = { nats: "", rabbitmq: "", redis: "" };
  const started: AsyncDisposable[] = [];
  beforeAll(async () => {
    const [redis, nats, rabbitmq] = await Promise.all([startRedis(), startNats(), startRabbitmq()]);
    started.push(redis, nats, rabbitmq);
    Object.assign(urls, { redis: redis.url, nats: nats.url, rabbitmq: rabbitmq.url });
  });
  afterAll(() => Promise.all(started.map((server) => server[Symbol.asyncDispose]())));
  return urls;
}

async function run(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  const TASKFERRY_BROKER = env["TASKFERRY_BROKER"] ?? `sqlite:${join(folder, "queue.db")}`;
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, "dist", name, "main.js")], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: "", ...env, TASKFERRY_BROKER },
    timeout: 60_000,
  });
  return stdout;
}

function expected(name: string): Promise<string> {
  return readFile(join(root, "src", name, "expected.txt"), "utf8");
}

async function inTemporaryFolder(url: string): Promise<string> {
  return url.startsWith("sqlite:") ? `sqlite:${join(await temporaryFolder(), url.slice("sqlite:".length))}` : url;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-example-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
