import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { createApplication } from "./application.ts";
import { binary, cleanEnv, taskferry } from "./binary.ts";
import type { Project } from "./project.ts";

const unshare = ["--pid", "--fork", "--mount-proc", "--kill-child"] as const;

/** The command as process 1, as in a container. */
function startAsFirst({ folder }: Project, args: readonly string[]) {
  const child = spawn("unshare", [...unshare, process.execPath, binary, ...args], { cwd: folder, env: cleanEnv() });
  onTestFinished(() => void child.kill("SIGKILL"));
  let logs = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (logs += chunk));
  const exited = once(child, "exit");
  return {
    exited,
    said: async (what: RegExp): Promise<void> => {
      const ended = exited.then(() => {
        throw new Error(`It ended before it said ${what}:\n${logs}`);
      });
      ended.catch(() => undefined);
      while (!what.test(logs)) await Promise.race([once(child.stdout, "data"), once(child.stderr, "data"), ended]);
    },
    /** Its id outside. */
    pid: async (): Promise<number> => Number((await childrenOf(child.pid ?? 0))[0]),
    logs: () => logs,
  };
}

async function childrenOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).trim().split(" ").filter(Boolean);
}

/** Of those it started itself; what a killed worker leaves behind is for an init to reap. */
async function stateOf(pid: string): Promise<string | undefined> {
  return (await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined))?.split(") ")[1]?.[0];
}

test("as process 1 the command starts workers that crash again, waits for them, and stops in good order at SIGTERM", async (context) => {
  if (spawnSync("unshare", [...unshare, "true"]).status !== 0) context.skip("no process namespace can be made here");
  await using project = await createApplication();
  const first = startAsFirst(project, ["worker", "--processes", "2"]);
  await first.said(/(?:the worker has started[\s\S]*){2}/);
  const pid = await first.pid();
  const [victim = ""] = await childrenOf(pid);
  process.kill(Number(victim), "SIGKILL");
  await first.said(/(?:the worker has started[\s\S]*){3}/);
  expect(await stateOf(victim), "the state of the worker that was killed").toBeUndefined();
  expect((await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--wait"])).code).toBe(0);
  process.kill(pid, "SIGTERM");
  expect(await first.exited).toEqual([0, null]);
  expect(first.logs().match(/the worker has stopped/g)).toHaveLength(2);
});

test("as process 1 it ends at once at a second signal, though a handler runs", async (context) => {
  if (spawnSync("unshare", [...unshare, "true"]).status !== 0) context.skip("no process namespace can be made here");
  await using project = await createApplication();
  const first = startAsFirst(project, ["worker"]);
  await first.said(/the worker has started/);
  await taskferry(project, ["enqueue", "wait"]);
  await first.said(/a handler waits in/);
  const pid = await first.pid();
  process.kill(pid, "SIGTERM");
  await first.said(/"stage":"waiting for handlers"/);
  process.kill(pid, "SIGTERM");
  expect(await first.exited).toEqual([143, null]);
});
