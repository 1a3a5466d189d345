import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, defineTask } from "@taskferry/core";
import { type SpawnedProcess, showLogsOnFailure } from "@taskferry/testing";
import { describe, expect, onTestFinished, type TestContext, test } from "vitest";
import { startTaskferry } from "./binary.ts";
import { createProject, type Project } from "./project.ts";

const block = defineTask<number, number>("block");
const nap = defineTask<number, number>("nap");
const hang = defineTask("hang", { timeout: 300 });
const die = defineTask("die", { retry: { attempts: 1 } });

const handlers = `
import { appendFileSync } from "node:fs";
import { defineTask } from "@taskferry/core";
const note = (line) => appendFileSync("history", line + "\\n");
export const onBlock = defineTask("block").handler(async (milliseconds) => {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
  return milliseconds;
});
export const onNap = defineTask("nap").handler(async (milliseconds, { id, log }) => {
  note(\`start \${id} \${Date.now()}\`);
  log.info({ child: process.pid }, "napping");
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  note(\`end \${id} \${Date.now()}\`);
  return milliseconds;
});
export const onHang = defineTask("hang", { timeout: 300 }).handler(() => { for (;;); });
export const onDie = defineTask("die").handler(() => process.exit(7));
`;

function config(rest: string): string {
  return `export default { broker: "sqlite:queue.db", handlers: ["./handlers.mjs"], ${rest} };`;
}

/** A worker of the command over a file, and a client of the same. */
async function scene(context: TestContext, options: { readonly config: string }) {
  const project = await createProject({ "taskferry.config.mjs": config(options.config), "handlers.mjs": handlers });
  onTestFinished(() => project[Symbol.asyncDispose]());
  const client = await createClient({ root: project.folder, broker: `sqlite:${join(project.folder, "queue.db")}` });
  onTestFinished(() => client.close());
  const worker = await startTaskferry(project, ["worker"]);
  onTestFinished(async () => void (await worker.kill()));
  showLogsOnFailure(context, worker);
  await worker.waitForOutput(/the worker has started/);
  return { project, client, worker };
}

async function childOf(worker: SpawnedProcess): Promise<number> {
  return Number((await worker.waitForOutput(/"child":(\d+)/))[1]);
}

async function historyOf({ folder }: Project): Promise<readonly (readonly string[])[]> {
  return (await readFile(join(folder, "history"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
}

describe("user code apart from connections and leases", () => {
  test("a handler that blocks the event loop for three leases loses none, and is named", async (context) => {
    const { client, worker } = await scene(context, { config: "lease: 500" });
    const beside = await client.enqueue(nap, 200);
    await childOf(worker);
    const handle = await client.enqueue(block, 1_500);
    expect(await handle.outcome()).toMatchObject({ status: "succeeded", result: 1_500, attempt: 0 });
    expect(await beside.result()).toBe(200);
    await worker.waitForOutput(/"tasks":\["block"\].*a handler blocked the event loop/);
    const warnings = worker.logs().match(/^.*a handler blocked the event loop.*$/gm) ?? [];
    // A machine that stands still for a moment blocks an event loop, too, and for less.
    const long = warnings.map((line) => JSON.parse(line)).filter(({ milliseconds }) => milliseconds >= 1_400);
    expect(long).toEqual([expect.objectContaining({ level: "warn", tasks: ["block"] })]);
    expect(worker.logs()).not.toMatch(/"leases could not be renewed"|belongs to another worker/);
  });

  test("tasks of a child process that is killed run again at once, and the worker lives on", async (context) => {
    const { project, client, worker } = await scene(context, { config: 'lease: "30s"' });
    const handles = await Promise.all([1, 2, 3].map((index) => client.enqueue(nap, 1_000, { id: `nap-${index}` })));
    const child = await childOf(worker);
    while ((await historyOf(project)).length < 3) await new Promise(setImmediate);
    process.kill(child, "SIGKILL");
    for (const handle of handles)
      expect(await handle.outcome({ timeout: "10s" })).toMatchObject({ status: "succeeded", attempt: 0 });
    expect((await historyOf(project)).filter(([what]) => what === "start")).toHaveLength(6);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("the task that ends the process each time fails, and those beside it do not", async (context) => {
    const { client, worker } = await scene(context, { config: 'lease: "30s"' });
    const beside = await client.enqueue(nap, 1_500);
    await childOf(worker);
    const deadly = await client.enqueue(die);
    expect(await deadly.outcome({ timeout: "20s" })).toMatchObject({
      status: "failed",
      error: { code: "TASK_CRASHED", message: expect.stringContaining("ended with code 7") },
    });
    expect(await beside.result({ timeout: "20s" })).toBe(1_500);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("an endless loop that times out is ended with its process, and its neighbours run again", async (context) => {
    const { client, worker } = await scene(context, { config: "lease: 500" });
    const beside = await client.enqueue(nap, 1_000);
    await childOf(worker);
    expect(await (await client.enqueue(hang)).outcome()).toMatchObject({ error: { code: "TASK_TIMED_OUT" } });
    expect(await beside.result({ timeout: "20s" })).toBe(1_000);
    expect(worker.logs()).toMatch(/was blocked/);
    expect(await worker.stop()).toEqual({ code: 0, signal: null });
  });

  test("SIGTERM: nothing starts after it, what fits finishes once, the rest is handed back unspent", async (context) => {
    const { project, client, worker } = await scene(context, {
      config: 'lease: "5s", shutdown: { timeout: "3s", grace: "200ms" }, queues: { default: { concurrency: 20 } }',
    });
    const lengths = Array.from({ length: 40 }, (_value, index) => 100 + ((index * 37) % 40) * 125);
    await client.enqueueMany(nap, lengths, { id: (_input, index) => `nap-${index}` });
    while ((await historyOf(project).catch(() => [])).length < 20) await new Promise(setImmediate);
    const signalAt = Date.now();
    process.kill(worker.pid, "SIGTERM");
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    // The timeout, the grace, and a second to hand back.
    expect(Date.now() - signalAt).toBeLessThan(3_000 + 200 + 1_000);

    const history = await historyOf(project);
    const starts = history.filter(([what]) => what === "start");
    // What ends later than the timeout may be handed back at the same moment.
    const fitting = history.filter(([what, , at]) => what === "end" && Number(at) < signalAt + 3_000);
    const ends = new Set(fitting.map(([, id]) => id));
    expect(ends.size).toBeGreaterThan(5);
    expect(Math.max(...starts.map(([, , at]) => Number(at)))).toBeLessThanOrEqual(signalAt + 50);
    expect(new Set(starts.map(([, id]) => id)).size).toBe(starts.length);
    const { folder } = project;
    await using again = await startTaskferry({ folder } as Project, ["worker", "--concurrency", "40"]);
    for (const [index, length] of lengths.entries()) {
      const outcome = await client.handle(nap, `nap-${index}`).outcome({ timeout: "20s" });
      expect(outcome).toMatchObject({ status: "succeeded", attempt: 0, result: length });
    }
    await again.stop();
    // What had ended before the first worker stopped ran once; all others ran on the second.
    const later = await historyOf(project);
    for (const id of ends) expect(later.filter(([what, other]) => what === "start" && other === id)).toHaveLength(1);
  });
});
