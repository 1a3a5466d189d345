import { readFile } from "node:fs/promises";
import { showLogsOnFailure } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { childArguments } from "../src/worker/child-arguments.ts";
import { createApplication, handlersOf } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";
import type { Project } from "./project.ts";

const started = /"worker":"[^"]*?-(\d+)-[^"]*"[^\n]*"message":"the worker has started"/g;

/** Process ids of the workers that have started, in order. */
function workersOf(logs: string): readonly number[] {
  return [...logs.matchAll(started)].map(([, pid]) => Number(pid));
}

function startedTimes(count: number): RegExp {
  return new RegExp(`(?:"message":"the worker has started"[\\s\\S]*){${count}}`);
}

async function greet(project: Project): Promise<number> {
  return (await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait"])).code;
}

async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ") X");
  return !["X", "Z"].includes(stat.split(") ")[1]?.[0] ?? "");
}

/** The children of a process that have ended and were not waited for. */
async function zombiesOf(pid: number): Promise<readonly string[]> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").filter(Boolean);
  const states = await Promise.all(
    children.map(async (child) => (await readFile(`/proc/${child}/stat`, "utf8")).split(") ")[1]?.[0] ?? ""),
  );
  return states.filter((state) => state === "Z");
}

describe("taskferry worker --processes", () => {
  test("starts workers that crash again, and leaves no zombies", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, [
      "worker",
      "--processes=2",
      "--health-port",
      "0",
      "--health-host=127.0.0.1",
    ]);
    showLogsOnFailure(context, supervisor);
    const [, port] = await supervisor.waitForOutput(/"port":(\d+)/);
    const readiness = async () => await (await fetch(`http://127.0.0.1:${port}/readyz`)).json();
    await supervisor.waitForOutput(startedTimes(2));
    for (const pid of workersOf(supervisor.logs())) process.kill(pid, "SIGKILL");
    await supervisor.waitForOutput(startedTimes(4));
    expect(supervisor.logs().match(/"signal":"SIGKILL"[^\n]*"message":"a worker process has ended/g)).toHaveLength(2);
    expect(await greet(project)).toBe(0);
    expect(await readiness()).toEqual({ status: "ready", state: "2 of 2 running" });
    expect(await zombiesOf(supervisor.pid)).toEqual([]);
    process.kill(supervisor.pid, "SIGTERM");
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
    expect(supervisor.logs().match(/the worker has stopped/g)).toHaveLength(2);
  });

  test("answers scrapes for all of them", async (context) => {
    await using project = await createApplication();
    const options = ["--processes", "2", "--metrics-port=0", "--metrics-host", "127.0.0.1"];
    await using supervisor = await startTaskferry(project, ["worker", ...options]);
    showLogsOnFailure(context, supervisor);
    const [, port] = await supervisor.waitForOutput(/"port":(\d+)/);
    await supervisor.waitForOutput(startedTimes(2));
    expect(await greet(project)).toBe(0);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    const ran = [...text.matchAll(/^taskferry_task_duration_seconds_count\{.*process="(\d)"\} (\d+)$/gm)];
    expect(ran.map(([, , count]) => Number(count))).toEqual([1]);
    for (const process of ["1", "2"])
      expect(text).toContain(`event_loop_delay_seconds{loop="worker",quantile="1",process="${process}"}`);
    expect(text).toContain('taskferry_queue_depth{queue="greetings",section="ready"} 0');
    process.kill(supervisor.pid, "SIGTERM");
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
  });

  test("replaces them one after the other at SIGHUP; one that cannot start leaves the former in its place", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--processes", "2"]);
    showLogsOnFailure(context, supervisor);
    await supervisor.waitForOutput(startedTimes(2));
    process.kill(supervisor.pid, "SIGHUP");
    await supervisor.waitForOutput(/all worker processes are replaced/);
    expect(new Set(workersOf(supervisor.logs())).size).toBe(4);
    // Each former worker stops only once one that follows it has started.
    expect([...supervisor.logs().matchAll(/the worker has (started|stopped)/g)].map(([, what]) => what)).toEqual([
      "started",
      "started",
      "started",
      "stopped",
      "started",
      "stopped",
    ]);

    await project.write("src/handlers.ts", "this is no TypeScript");
    process.kill(supervisor.pid, "SIGHUP");
    await supervisor.waitForOutput(/(?:the new worker process did not start: the former goes on[\s\S]*){2}/);
    expect(await greet(project)).toBe(0);
    await project.write("src/handlers.ts", handlersOf("Hello"));
    process.kill(supervisor.pid, "SIGTERM");
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
  });

  test("replaces a worker that has run --max-tasks, or holds more than --max-memory", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--max-tasks", "2"]);
    showLogsOnFailure(context, supervisor);
    await supervisor.waitForOutput(startedTimes(1));
    expect([await greet(project), await greet(project)]).toEqual([0, 0]);
    await supervisor.waitForOutput(/"why":"it has run 2 tasks"/);
    await supervisor.waitForOutput(startedTimes(2));
    await supervisor.waitForOutput(/the worker has stopped/);
    expect(await greet(project)).toBe(0);
    expect(await supervisor.stop()).toEqual({ code: 0, signal: null });

    await using small = await startTaskferry(project, ["worker", "--max-memory", "1mb"]);
    await small.waitForOutput(/"why":"it holds \d+ MB"/);
    await small.waitForOutput(startedTimes(2));
    expect(await small.stop()).toEqual({ code: 0, signal: null });
  });

  test("ends all at once at a second signal", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--processes", "2"]);
    showLogsOnFailure(context, supervisor);
    await taskferry(project, ["enqueue", "wait"]);
    const [, child] = await supervisor.waitForOutput(/a handler waits in (\d+)\./);
    process.kill(supervisor.pid, "SIGTERM");
    await supervisor.waitForOutput(/"stage":"waiting for handlers"/);
    process.kill(supervisor.pid, "SIGTERM");
    expect(await supervisor.exited).toEqual({ code: 143, signal: null });
    while (await isRunning(Number(child))) await new Promise(setImmediate);
  });

  test("keeps its own options from the command line of its workers", () => {
    const args = ["worker", "--watch", "--processes", "4", "--queues", "a", "--health-port=80", "--health-host", "::1"];
    expect(childArguments([...args, "--max-tasks", "5"])).toEqual(["worker", "--queues", "a", "--max-tasks", "5"]);
    const scraped = ["worker", "--metrics-port", "9464", "--metrics-host=::1", "--processes=2"];
    expect(childArguments(scraped)).toEqual(["worker", "--measured"]);
  });
});
