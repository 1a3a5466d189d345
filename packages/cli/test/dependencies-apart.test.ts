import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createClient, defineTask } from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { startTaskferry } from "./binary.ts";
import { createProject } from "./project.ts";

const buy = defineTask<string, string>("buy", { retry: { attempts: 1 } });

const handlers = `
import { appendFileSync } from "node:fs";
import { defineTask, provide } from "@taskferry/core";
const note = (line) => appendFileSync("history", line + "\\n");
const pool = provide("pool", async function* ({ context }) {
  note("pool of " + context.worker);
  yield { child: process.pid };
  note("pool ended");
}, { scope: "worker", eager: true });
const transaction = provide("transaction", async function* ({ pool, context }) {
  try {
    yield context.id;
    note("committed " + context.id);
  } catch (error) {
    note("rolled back " + context.id + ": " + error.message);
    throw error;
  }
}, { scope: "task", needs: { pool } });
export const onBuy = defineTask("buy").handler({ pool, transaction }, async (what, { pool, transaction }) => {
  if (what === "nothing") throw new Error("nothing to buy");
  return [what, transaction, pool.child].join(" ");
});
`;
const config = `export default { broker: "sqlite:queue.db", handlers: ["./handlers.mjs"], name: "w1" };`;

test("handlers of the command get what they need in their process, and end it with the worker", async () => {
  const project = await createProject({ "taskferry.config.mjs": config, "handlers.mjs": handlers });
  onTestFinished(() => project[Symbol.asyncDispose]());
  const client = await createClient({ broker: `sqlite:${join(project.folder, "queue.db")}`, root: project.folder });
  onTestFinished(() => client.close());
  const worker = await startTaskferry(project, ["worker"]);
  onTestFinished(async () => void (await worker.kill()));
  await worker.waitForOutput(/the worker has started/);
  const history = async (): Promise<readonly string[]> =>
    (await readFile(join(project.folder, "history"), "utf8")).trim().split("\n");
  expect(await history()).toEqual(["pool of w1"]);
  const bought = await (await client.enqueue(buy, "a cat", { id: "a" })).result({ timeout: "10s" });
  expect(bought).toMatch(/^a cat a \d+$/);
  expect(bought).not.toMatch(new RegExp(` ${worker.pid}$`));
  const failed = await client.enqueue(buy, "nothing", { id: "b" });
  expect(await failed.outcome({ timeout: "10s" })).toMatchObject({ error: { message: "nothing to buy" } });
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(await history()).toEqual(["pool of w1", "committed a", "rolled back b: nothing to buy", "pool ended"]);
});
