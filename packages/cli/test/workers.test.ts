import { createClient, createWorker, defineTask, silentLogger, type WorkerInfo } from "@taskferry/core";
import { showLogsOnFailure } from "@taskferry/testing";
import { describe, expect, test } from "vitest";
import { createApplication } from "./application.ts";
import { startTaskferry, taskferry } from "./binary.ts";
import { withShell } from "./shell.ts";

describe("taskferry workers", () => {
  test("lists those that live", () =>
    withShell(async (shell) => {
      expect(await shell.run("workers")).toEqual({ code: 0, stdout: "No worker lives.\n", stderr: "" });
      expect(JSON.parse((await shell.run("workers", "--json")).stdout)).toEqual([]);

      const { broker } = shell;
      let [begin, end] = [() => undefined, () => undefined] as (() => void)[];
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const long = defineTask("long", { queue: "slow" });
      const onLong = long.handler(async () => {
        begin?.();
        await new Promise<void>((resolve) => {
          end = resolve;
        });
      });
      const config = { broker, name: "one", handlers: [onLong], logger: silentLogger, presence: "100ms" } as const;
      await using worker = createWorker(config);
      await using client = await createClient({ broker });
      await worker.start();
      await client.enqueue(long, undefined, { id: "it" });
      await begun;
      await expect.poll(async () => (await client.workers())[0]?.running).toBe(1);
      const [head, line, ...rest] = (await shell.run("workers")).stdout.trimEnd().split("\n");
      expect(head).toMatch(/^worker +host +pid +up +queues +running +done\/s +load +memory +late +longest$/);
      expect(line).toMatch(/^one .* \d+ .*slow +1 of 10 .* MB .* long it for \d/);
      expect(rest).toEqual([]);
      end?.();
    }));

  test("shows each of several processes, until it has stopped", async (context) => {
    await using project = await createApplication();
    await using supervisor = await startTaskferry(project, ["worker", "--processes", "2"]);
    showLogsOnFailure(context, supervisor);
    const list = async (): Promise<readonly WorkerInfo[]> =>
      JSON.parse((await taskferry(project, ["workers", "--json"])).stdout);
    await expect.poll(list, { interval: 10, timeout: 20_000 }).toHaveLength(2);
    const workers = await list();
    const pids = [
      ...supervisor.logs().matchAll(/"worker":"[^"]*?-(\d+)-[^"]*"[^\n]*"message":"the worker has started"/g),
    ];
    expect(workers.map(({ pid }) => pid)).toEqual(pids.map(([, pid]) => Number(pid)).toSorted((one, two) => one - two));
    expect(workers[0]?.queues.map(({ queue }) => queue).toSorted()).toEqual(["default", "greetings"]);
    expect(await supervisor.stop()).toEqual({ code: 0, signal: null });
    expect(await list()).toEqual([]);
  });
});
