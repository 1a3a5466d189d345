import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { createApplication } from "./application.ts";
import { binary, cleanEnv, taskferry } from "./binary.ts";

test("a worker whose log nobody reads any more goes on, and stops as told", async () => {
  await using project = await createApplication();
  const worker = spawn(process.execPath, [binary, "worker"], {
    cwd: project.folder,
    env: cleanEnv(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  onTestFinished(() => void worker.kill("SIGKILL"));
  const exited = once(worker, "exit");
  for await (const line of createInterface(worker.stderr)) if (line.includes("the worker has started")) break;
  worker.stderr.destroy();

  // A refused input makes it log an error, into a pipe without a reader.
  const refused = await taskferry(project, ["enqueue", "unknown-task", "--queue", "greetings", "--wait", "--json"]);
  expect(JSON.parse(refused.stdout)).toMatchObject({ status: "failed", error: { code: "TASK_UNKNOWN" } });
  const greeted = await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait", "--json"]);
  expect(JSON.parse(greeted.stdout)).toMatchObject({ status: "succeeded" });
  worker.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
