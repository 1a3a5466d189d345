import { spawn } from "node:child_process";
import { once } from "node:events";
import { showLogsOnFailure } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { createApplication, handlersOf } from "./application.ts";
import { binary, cleanEnv, startTaskferry, taskferry } from "./binary.ts";
import type { Project } from "./project.ts";

/** Matches once the worker has started so many times. */
function startedTimes(count: number): RegExp {
  return new RegExp(`(?:"message":"the worker has started"[\\s\\S]*){${count}}`);
}

async function greet(project: Project): Promise<unknown> {
  const { stdout } = await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait", "--json"]);
  return JSON.parse(stdout).result;
}

describe("taskferry worker --watch", () => {
  test("replaces the worker when a file changes, after a graceful stop", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--watch"]);
    showLogsOnFailure(context, supervisor);
    await supervisor.waitForOutput(startedTimes(1));
    expect(await greet(project)).toBe("Hello, you!");

    await project.write("src/handlers.ts", handlersOf("Welcome"));
    await supervisor.waitForOutput(startedTimes(2));
    expect(supervisor.logs().match(/"changed":/g)).toHaveLength(1);
    expect(supervisor.logs()).toMatch(
      /"changed":"src\/handlers\.ts"[\s\S]*the worker has stopped[\s\S]*the worker has started/,
    );
    expect(await greet(project)).toBe("Welcome, you!");

    await project.write("src/handlers.ts", "this is no TypeScript");
    await supervisor.waitForOutput(/the worker process has ended: waiting for a change/);
    await project.write("src/handlers.ts", handlersOf("Hello again"));
    await supervisor.waitForOutput(startedTimes(3));
    expect(await greet(project)).toBe("Hello again, you!");

    process.kill(supervisor.pid, "SIGTERM");
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
    expect(supervisor.logs()).toMatch(/the worker has stopped[^\n]*\n$/);
  }, 120_000);

  test("ends at once at a second signal", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--watch"]);
    showLogsOnFailure(context, supervisor);
    await taskferry(project, ["enqueue", "wait"]);
    await supervisor.waitForOutput(/a handler waits/);
    process.kill(supervisor.pid, "SIGINT");
    await supervisor.waitForOutput(/"stage":"waiting for handlers"/);
    process.kill(supervisor.pid, "SIGINT");
    expect(await supervisor.exited).toEqual({ code: 130, signal: null });
  });

  test("takes one Ctrl-C, which the whole group gets, as one", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--watch"]);
    showLogsOnFailure(context, supervisor);
    await taskferry(project, ["enqueue", "wait"]);
    const [, child] = await supervisor.waitForOutput(/a handler waits in (\d+)\./);
    process.kill(-supervisor.pid, "SIGINT");
    await supervisor.waitForOutput(/"stage":"waiting for handlers"/);
    process.kill(Number(child), "SIGUSR2");
    expect(await supervisor.exited).toEqual({ code: 0, signal: null });
  });

  test("does not leave its worker behind when it is killed", async () => {
    await using project = await createApplication();
    const supervisor = spawn(process.execPath, [binary, "worker", "--watch"], {
      cwd: project.folder,
      env: cleanEnv(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const closed = once(supervisor, "close");
    let log = "";
    for await (const chunk of supervisor.stderr.setEncoding("utf8")) {
      log += chunk;
      if (startedTimes(1).test(log)) supervisor.kill("SIGKILL");
    }
    await closed;
    expect(log).toMatch(/stopping because of the end of the supervisor[\s\S]*the worker has stopped/);
  });
});
