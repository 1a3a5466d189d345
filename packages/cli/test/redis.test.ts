import { showLogsOnFailure, startRedis } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { createApplication } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";

const password = "canary-of-the-tests";

describe("over Redis", () => {
  test("the same project runs by its URL alone, and doctor hears what the server warns about", async () => {
    await using redis = await startRedis({ password, maxMemory: { bytes: "64mb", policy: "allkeys-lru" } });
    await using project = await createApplication();
    const env = { TASKFERRY_BROKER: redis.url };
    await using worker = await startTaskferry(project, ["worker"], env);
    const greeted = await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait", "--json"], { env });
    expect(JSON.parse(greeted.stdout)).toMatchObject({ status: "succeeded", result: "Hello, you!" });
    const { code, stdout } = await taskferry(project, ["doctor"], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/warning +broker +.*allkeys-lru.*\n +→ /);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(stdout + worker.logs()).not.toContain(password);
  });

  test("a worker that has lost its broker is not ready until it is back", async (context) => {
    await using redis = await startRedis();
    await using project = await createApplication();
    const args = ["worker", "--health-port", "0", "--health-host", "127.0.0.1"];
    await using worker = await startTaskferry(project, args, { TASKFERRY_BROKER: redis.url });
    showLogsOnFailure(context, worker);
    const [, port] = await worker.waitForOutput(/"port":(\d+)/);
    const probe = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    await worker.waitForOutput(/"message":"the worker has started"/);
    expect(await probe("/readyz")).toBe(200);
    await redis.kill();
    await worker.waitForOutput(/the connection to the broker is lost/);
    expect([await probe("/livez"), await probe("/readyz")]).toEqual([200, 503]);
    await redis.start();
    await worker.waitForOutput(/the connection to the broker is back/);
    expect(await probe("/readyz")).toBe(200);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("a wrong password and a server that is not there are told in a line, without the password", async () => {
    await using redis = await startRedis({ password: "another" });
    await using project = await createApplication();
    const { host } = new URL(redis.url);
    const wrong = `redis://:${password}@${host}`;
    const gone = `redis://:${password}@127.0.0.1:1`;
    for (const broker of [wrong, gone]) {
      const env = { TASKFERRY_BROKER: broker };
      for (const args of [["queues"], ["worker"], ["enqueue", "greet", '{"name":"x"}']]) {
        const { code, stdout, stderr } = await taskferry(project, args, { env });
        expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
        expect(stderr).toMatch(/error: /);
        expect(stderr).not.toMatch(/\n\s+at /);
        expect(stderr).not.toContain(password);
      }
      const { code, stdout, stderr } = await taskferry(project, ["doctor", "--json", "--stack"], { env });
      expect(code).toBe(1);
      expect(JSON.parse(stdout).findings).toContainEqual(
        expect.objectContaining({ check: "broker", status: "failure" }),
      );
      expect(stdout + stderr).not.toContain(password);
    }
  });
});
