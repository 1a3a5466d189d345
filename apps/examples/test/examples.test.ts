import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startRedis } from "@taskferry/testing";
import { describe, expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "..");

describe("each example prints what it says", () => {
  test.each(["hello", "retry", "cancel", "workflow", "isolation"])("%s", async (name) => {
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

  test("swap-broker over Redis", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis[Symbol.asyncDispose]());
    expect(await run("swap-broker", { TASKFERRY_BROKER: redis.url })).toBe(await expected("swap-broker"));
  });

  test("swap-broker over sqlite with results in Redis", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis[Symbol.asyncDispose]());
    const broker = await inTemporaryFolder("sqlite:queue.db");
    expect(await run("swap-broker", { TASKFERRY_BROKER: broker, TASKFERRY_RESULTS: redis.url })).toBe(
      await expected("swap-broker"),
    );
  });
});

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
