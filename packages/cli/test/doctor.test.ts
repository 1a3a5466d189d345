import { symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createClient, defineTask } from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { checkNode } from "../src/doctor/check-node.ts";
import type { Finding } from "../src/doctor/finding.ts";
import { runInProcess } from "./fake-terminal.ts";
import { createProject, type Project } from "./project.ts";

const handlers = `
import { defineTask } from "@taskferry/core";
export const add = defineTask("math.add", { queue: "sums" });
export const lonely = defineTask("math.lonely");
export const onAdd = add.handler(() => undefined);
`;

async function examine({ folder }: Project, env: Readonly<Record<string, string>> = {}) {
  const { code, stdout } = await runInProcess(["doctor", "--json"], { cwd: folder, env });
  const { ok, findings } = JSON.parse(stdout) as { readonly ok: boolean; readonly findings: readonly Finding[] };
  const of = (check: string, status: Finding["status"]): readonly string[] =>
    findings.filter((finding) => finding.check === check && finding.status === status).map(({ message }) => message);
  return { code, ok, findings, of };
}

describe("doctor", () => {
  test("finds everything in order, and says what it looked at", async () => {
    await using project = await createProject({
      "taskferry.config.mjs": 'export default { broker: "memory:", state: false, handlers: ["./handlers.mjs"] };',
      "handlers.mjs": handlers.replace(/export const lonely.*\\n/, ""),
    });
    const { code, ok, findings, of } = await examine(project);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(of("node", "ok")).toEqual([`Node ${process.versions.node}`]);
    expect(of("configuration", "ok")).toEqual([
      join(project.folder, "taskferry.config.mjs"),
      `relative paths begin at ${project.folder}`,
    ]);
    expect(of("packages", "ok")).toEqual([expect.stringMatching(/^@taskferry\/core \d.*, @taskferry\/cli \d/)]);
    expect(of("broker", "ok")).toEqual([
      expect.stringMatching(/^memory at memory:, contract 1: connected in .* ms, round trip .* ms$/),
    ]);
    expect(of("results", "ok")).toEqual([expect.stringMatching(/^memory, contract 1/)]);
    expect(of("state", "ok")).toEqual(["none, as configured"]);
    expect(of("handlers", "ok")).toEqual(["1 found: math.add"]);
    expect(of("queues", "ok")).toEqual(["empty"]);
    expect(findings.filter(({ status, advice }) => (status === "warning") !== (advice !== undefined))).toEqual([]);
    const { stdout } = await runInProcess(["doctor"], { cwd: project.folder });
    expect(stdout).toMatch(/^ok {7}node .*\n[\s\S]*→ .*\n[\s\S]*\n\n\d to look at\.\n$/);
  });

  test("warns about what works and is not meant", async () => {
    const broker = `memory:${crypto.randomUUID()}`;
    await using client = await createClient({ broker });
    await client.enqueue(defineTask("math.gone", { queue: "sums" }));
    await client.enqueue(defineTask("math.add", { queue: "elsewhere" }));
    await using project = await createProject({
      "taskferry.config.mjs": `export default { broker: "${broker}", queue: {}, queues: { sums: {} }, handlers: ["./handlers.mjs"] };`,
      "taskferry.config.ts": "",
      "handlers.mjs": `${handlers} export const onOther = defineTask("other.task", { queue: "others" }).handler(() => 0);`,
    });
    const { code, ok, of } = await examine(project);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(of("configuration", "warning")).toEqual([
      expect.stringContaining("taskferry.config.ts is there too"),
      '"queue" is no name of a configuration',
    ]);
    expect(of("broker", "warning")).toEqual(["memory keeps messages in memory alone"]);
    expect(of("results", "warning")).toEqual(["memory is seen by this process alone"]);
    expect(of("handlers", "warning")).toEqual([
      'the task "math.lonely" is exported without a handler',
      'the task "other.task" waits in the queue "others", which `queues` leaves out',
    ]);
    expect(of("queues", "warning")).toEqual([
      '"elsewhere" holds 1 ready message, and no worker of this configuration serves it',
      '"sums" holds messages of the task "math.gone", which has no handler here',
    ]);
  });

  test("fails on a configuration that cannot be loaded, and skips the rest", async () => {
    await using project = await createProject({ "taskferry.config.mjs": 'throw new Error("out of order");' });
    const { code, ok, findings, of } = await examine(project);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(of("configuration", "failure")).toEqual([expect.stringContaining("because: out of order")]);
    expect(findings.filter(({ status }) => status === "skipped").map(({ check }) => check)).toEqual([
      "packages",
      "broker",
      "results",
      "state",
      "handlers",
      "queues",
    ]);
  });

  test("fails on a broker that cannot be had, and tells no password", async () => {
    await using project = await createProject({
      "package.json": '{ "dependencies": { "@taskferry/core": "*", "@taskferry/nats": "*" } }',
      "taskferry.config.mjs": 'export default { broker: "nats://me:canary@localhost:1", handlers: ["./gone.mjs"] };',
    });
    const { code, findings, of } = await examine(project);
    expect(code).toBe(1);
    expect(of("packages", "failure")).toEqual(["@taskferry/nats is in package.json and not installed"]);
    // Some package managers let Node find what a neighbour installed: then it is tried, and there is no server.
    const why = /npm install @taskferry\/nats|cannot be reached/;
    expect(of("broker", "failure")).toEqual([expect.stringMatching(why)]);
    expect(of("handlers", "failure")).toEqual([expect.stringContaining("./gone.mjs could not be loaded")]);
    expect(of("queues", "skipped")).toEqual(["the broker cannot be reached"]);
    expect(JSON.stringify(findings)).not.toContain("canary");
  });

  test("warns where there is no configuration, and fails where there is no core", async () => {
    await using project = await createProject();
    await unlink(join(project.folder, "node_modules"));
    const { code, of } = await examine(project, { TASKFERRY_BROKER: "memory:" });
    expect(code).toBe(1);
    expect(of("configuration", "warning")).toEqual([expect.stringContaining("using TASKFERRY_BROKER (memory:)")]);
    expect(of("packages", "failure")).toEqual([`@taskferry/core cannot be found from ${project.folder}`]);
    await symlink("/nowhere", join(project.folder, "node_modules"));
    expect((await examine(project, { TASKFERRY_BROKER: "memory:" })).code).toBe(1);
  });

  test("knows which Node is new enough", () => {
    const status = (version: string) => checkNode(version)[0]?.status;
    expect(["18.20.0", "20.18.9", "20.19.0", "21.0.0", "26.1.0"].map(status)).toEqual([
      "failure",
      "failure",
      "ok",
      "ok",
      "ok",
    ]);
  });
});
