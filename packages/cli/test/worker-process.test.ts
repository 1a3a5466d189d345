import { rm } from "node:fs/promises";
import { join } from "node:path";
import { showLogsOnFailure } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { createApplication } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";
import { createProject } from "./project.ts";

const started = /"message":"the worker has started"/;
const draining = /"stage":"waiting for handlers"/;

describe("taskferry worker", () => {
  test("runs tasks of a TypeScript project, is ready, and drains when asked to stop", async (context) => {
    await using project = await createApplication();
    await using worker = await startTaskferry(project, ["worker", "--health-port", "0", "--health-host", "127.0.0.1"]);
    showLogsOnFailure(context, worker);
    const [, port] = await worker.waitForOutput(/"port":(\d+)/);
    const probe = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
    await worker.waitForOutput(started);
    expect([await probe("/livez"), await probe("/readyz")]).toEqual([200, 200]);

    const greeted = await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait", "--json"]);
    expect(greeted.code).toBe(0);
    expect(JSON.parse(greeted.stdout)).toMatchObject({ task: "greet", status: "succeeded", result: "Hello, you!" });

    await taskferry(project, ["enqueue", "wait", "--id", "waiting"]);
    const [, child] = await worker.waitForOutput(/a handler waits in (\d+)\./);
    expect(Number(child)).not.toBe(worker.pid);
    expect(JSON.parse((await taskferry(project, ["queues", "--json"])).stdout)).toEqual([
      { queue: "default", ready: 0, running: 1, delayed: 0, dead: 0 },
    ]);
    process.kill(worker.pid, "SIGTERM");
    await worker.waitForOutput(draining);
    expect([await probe("/livez"), await probe("/readyz")]).toEqual([200, 503]);
    process.kill(Number(child), "SIGUSR2");
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    expect(JSON.parse((await taskferry(project, ["result", "waiting", "--json"])).stdout)).toMatchObject({
      status: "succeeded",
    });
  });

  test("answers scrapes of Prometheus", async (context) => {
    await using project = await createApplication();
    const options = ["--metrics-port", "0", "--metrics-host", "127.0.0.1"];
    await using worker = await startTaskferry(project, ["worker", ...options]);
    showLogsOnFailure(context, worker);
    const [, port] = await worker.waitForOutput(/"port":(\d+)/);
    await worker.waitForOutput(started);
    const greeted = await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait", "--json"]);
    expect(greeted.code).toBe(0);
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    const response = await get("/metrics");
    expect(response.headers.get("content-type")).toContain("text/plain");
    const text = await response.text();
    expect(text).toContain('taskferry_task_duration_seconds_count{task="greet",queue="greetings"} 1');
    expect(text).toContain('taskferry_queue_depth{queue="greetings",section="ready"} 0');
    expect(text, "the event loop that handlers run in").toContain('delay_seconds{loop="handlers",quantile="1"}');
    expect((await get("/")).status).toBe(404);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("answers scrapes where the broker lives in the worker's own memory", async (context) => {
    await using project = await createApplication();
    const env = { TASKFERRY_BROKER: "memory:" };
    await using worker = await startTaskferry(project, ["worker", "--metrics-port", "0"], env);
    showLogsOnFailure(context, worker);
    const [, port] = await worker.waitForOutput(/"port":(\d+)/);
    await worker.waitForOutput(started);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toContain('taskferry_broker_connected{broker="memory"} 1');
    expect(text).toContain('taskferry_queue_depth{queue="greetings",section="ready"} 0');
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("says what to install where there is no package for metrics", async () => {
    await using project = await createProject({ "taskferry.config.ts": "export default { handlers: [] };" });
    await rm(join(project.folder, "node_modules"));
    const { code, stderr } = await taskferry(project, ["worker", "--metrics-port", "0"]);
    expect(code).toBe(1);
    expect(stderr).toContain("npm install @taskferry/prometheus");
  });

  test("hands back what has not ended by the shutdown timeout, and exits with 0", async (context) => {
    await using project = await createApplication();
    await using worker = await startTaskferry(project, ["worker", "--shutdown-timeout", "50ms"]);
    showLogsOnFailure(context, worker);
    await taskferry(project, ["enqueue", "linger"]);
    await worker.waitForOutput(/a handler lingers/);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
    expect(JSON.parse((await taskferry(project, ["queues", "--json"])).stdout)).toEqual([
      { queue: "default", ready: 1, running: 0, delayed: 0, dead: 0 },
    ]);
  });

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("ends at once at a second %s, with %i", async (signal, code) => {
    await using project = await createApplication();
    await using worker = await startTaskferry(project, ["worker"]);
    await taskferry(project, ["enqueue", "wait"]);
    await worker.waitForOutput(/a handler waits/);
    process.kill(worker.pid, "SIGTERM");
    await worker.waitForOutput(draining);
    process.kill(worker.pid, signal);
    expect(await worker.exited).toEqual({ code, signal: null });
  });

  test("stops while a module of handlers is still being loaded", async () => {
    await using project = await createApplication();
    await project.write(
      "src/handlers.ts",
      'console.log("loading"); setInterval(() => undefined, 1_000); await new Promise(() => undefined);',
    );
    await using worker = await startTaskferry(project, ["worker", "--health-port", "0", "--health-host", "127.0.0.1"]);
    const [, port] = await worker.waitForOutput(/"port":(\d+)/);
    await worker.waitForOutput(/loading/);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("lives on after a stray rejection, and after an error that nobody caught", async (context) => {
    await using project = await createApplication();
    await using worker = await startTaskferry(project, ["worker", "--log-format", "pretty", "--log-level", "debug"]);
    showLogsOnFailure(context, worker);
    await taskferry(project, ["enqueue", "stray", '"rejection"']);
    await worker.waitForOutput(/error .*a promise was rejected and nobody waited for it.*error=forgotten/);
    await taskferry(project, ["enqueue", "wait", "--id", "beside"]);
    const [, child] = await worker.waitForOutput(/a handler waits in (\d+)\./);
    await taskferry(project, ["enqueue", "stray", '"exception"']);
    await worker.waitForOutput(/an error was thrown outside of any handler.*error=uncaught/);
    expect((await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait"])).code).toBe(0);
    await worker.waitForOutput(/info .*the task succeeded.*task=greet/);
    process.kill(Number(child), "SIGUSR2");
    expect((await taskferry(project, ["result", "beside", "--wait"])).code).toBe(0);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("works on the queues of the command line alone", async (context) => {
    await using project = await createApplication();
    await using worker = await startTaskferry(project, [
      "worker",
      "--queues",
      "greetings=3,other",
      "--concurrency",
      "7",
    ]);
    showLogsOnFailure(context, worker);
    await worker.waitForOutput(/"queues":\{"greetings":3,"other":7\}/);
    expect(worker.logs()).toContain('no task of the handlers waits in the queue \\"other\\"');
    await worker.stop();
  });

  test("says in one line why it cannot start", async () => {
    await using project = await createApplication();
    const { code, stdout, stderr } = await taskferry(project, ["worker"], {
      env: { TASKFERRY_BROKER: "nats://me:canary@127.0.0.1:1" },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: .*npm install @taskferry\/nats \(PACKAGE_MISSING\)\n/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr).not.toContain("canary");
  });
});
