import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { createApplication, handlersOf } from "./application.ts";
import { binary, cleanEnv, startTaskferry, taskferry } from "./binary.ts";
import { createProject, type Project } from "./project.ts";

/** Runs a worker process until these tasks have ended. */
async function work(project: Project, ids: readonly string[]): Promise<void> {
  await using worker = await startTaskferry(project, ["worker"]);
  for (const id of ids) await taskferry(project, ["result", id, "--wait"]);
  await worker.stop();
}

/** What differs from run to run, made the same. */
function settle(stdout: string): string {
  return stdout
    .replace(/"(enqueuedAt|startedAt|finishedAt|at)": \d+/g, '"$1": 0')
    .replace(/"worker": "[^"]+"/, '"worker": "someone"')
    .replace(/"(key|cursor)": "[^"]+"/g, '"$1": "…"');
}

describe("the installed command, over a file that processes share", () => {
  test("enqueues, shows outcomes, and says by its exit code how the task ended", async () => {
    await using project = await createApplication();
    const enqueued = await taskferry(project, ["enqueue", "greet", "-", "--id", "one", "--json"], {
      input: '{"name":"you"}',
    });
    expect(enqueued).toMatchObject({ code: 0, stderr: "" });
    expect(enqueued.stdout).toMatchInlineSnapshot(`
      "{
        "id": "one",
        "task": "greet",
        "queue": "greetings",
        "status": "accepted"
      }
      "
    `);
    const pending = await taskferry(project, ["result", "one"]);
    expect(pending).toEqual({
      code: 1,
      stdout: "Task one has no outcome yet: it waits, is delayed or runs.\n",
      stderr: "",
    });
    await work(project, ["one"]);
    const { code, stdout } = await taskferry(project, ["result", "one", "--json"]);
    expect(code).toBe(0);
    expect(settle(stdout)).toMatchInlineSnapshot(`
      "{
        "id": "one",
        "run": 0,
        "task": "greet",
        "attempt": 0,
        "enqueuedAt": 0,
        "finishedAt": 0,
        "worker": "someone",
        "startedAt": 0,
        "status": "succeeded",
        "result": "Hello, you!"
      }
      "
    `);
  });

  test("lists tasks and queues", async () => {
    await using project = await createApplication();
    await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--delay", "1h"]);
    await taskferry(project, ["enqueue", "wait"]);
    expect((await taskferry(project, ["tasks"])).stdout).toMatchInlineSnapshot(`
      "task    queue      attempts  timeout  priority  result kept  schemas  module
      greet   greetings         1  none            4  1 d          none     ./src/handlers.ts
      linger  default           1  none            4  1 d          none     ./src/handlers.ts
      stray   default           1  none            4  1 d          none     ./src/handlers.ts
      wait    default           1  none            4  1 d          none     ./src/handlers.ts
      "
    `);
    expect((await taskferry(project, ["queues"])).stdout).toMatchInlineSnapshot(`
      "queue      ready  running  delayed  dead
      default        1        0        0     0
      greetings      0        0        1     0
      "
    `);
    expect((await taskferry(project, ["queues", "--json"])).stdout).toMatchInlineSnapshot(`
      "[
        {
          "queue": "default",
          "ready": 1,
          "running": 0,
          "delayed": 0,
          "dead": 0
        },
        {
          "queue": "greetings",
          "ready": 0,
          "running": 0,
          "delayed": 1,
          "dead": 0
        }
      ]
      "
    `);
  });

  test("shows, replays and drops dead letters, and purges", async () => {
    await using project = await createApplication();
    await project.write(
      "src/handlers.ts",
      'import { wait } from "./tasks.ts"; export const onWait = wait.handler(() => { throw new Error("no, at redis://me:canary@host"); });',
    );
    for (const id of ["one", "two"]) {
      await taskferry(project, ["enqueue", "wait", "--id", id]);
      await work(project, [id]);
    }
    const failed = await taskferry(project, ["result", "one"]);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("Error: no, at redis://***@host");
    const listed = await taskferry(project, ["dead", "list", "--json"]);
    expect(listed.stdout).not.toContain("canary");
    expect(JSON.parse(listed.stdout)[0].entries.map((entry: { message: { id: string } }) => entry.message.id)).toEqual([
      "two",
      "one",
    ]);
    const page = await taskferry(project, ["dead", "list", "--json", "--queue", "default", "--limit", "1"]);
    expect(settle(page.stdout)).toMatchInlineSnapshot(`
      "[
        {
          "queue": "default",
          "entries": [
            {
              "key": "…",
              "message": {
                "id": "two",
                "run": 0,
                "hop": 0,
                "task": "wait",
                "queue": "default",
                "attempt": 0,
                "enqueuedAt": 0,
                "contentType": "application/json"
              },
              "reason": {
                "code": "TASK_FAILED",
                "message": "Error: no, at redis://***@host",
                "at": 0
              },
              "size": 160
            }
          ],
          "cursor": "…"
        }
      ]
      "
    `);
    expect(settle((await taskferry(project, ["dead", "show", "one", "--json"])).stdout)).toMatch(
      /"body": \{\n {4}"text": "/,
    );
    expect((await taskferry(project, ["dead", "replay", "one"])).stdout).toBe("Replayed 1 dead letter.\n");
    expect(JSON.parse((await taskferry(project, ["result", "one", "--json"])).stdout)).toMatchObject({
      status: "failed",
      run: 0,
    });
    expect((await taskferry(project, ["dead", "drop", "two"])).stdout).toBe("Dropped 1 dead letter.\n");
    expect(await taskferry(project, ["purge", "default"])).toMatchObject({ code: 2, stdout: "" });
    expect((await taskferry(project, ["purge", "default", "--yes"])).stdout).toBe("Removed from default: 1 ready.\n");
  });

  test("finds the project from a folder within, and its file is the same from everywhere", async () => {
    await using project = await createApplication();
    await taskferry(project, ["enqueue", "wait"]);
    const within = { ...project, folder: join(project.folder, "src") };
    expect(JSON.parse((await taskferry(within, ["queues", "--json"])).stdout)).toMatchObject([
      { queue: "default", ready: 1 },
    ]);
    expect((await taskferry(within, ["tasks"])).stdout).toContain("./src/handlers.ts");
  });

  test("is ended by nothing that the handlers' modules keep open", async () => {
    await using project = await createApplication();
    await project.write("src/handlers.ts", `${handlersOf("Hello")}\nsetInterval(() => undefined, 1_000);`);
    expect(await taskferry(project, ["enqueue", "greet", '{"name":"you"}', "--id", "x"])).toEqual({
      code: 0,
      stdout: "x\n",
      stderr: "",
    });
  });
});

describe("TypeScript", () => {
  test("is read by the process itself where it can", async () => {
    await using project = await createApplication();
    const loader = pathToFileURL(createRequire(join(import.meta.dirname, "../../../package.json")).resolve("tsx")).href;
    await project.write(
      "src/handlers.ts",
      `${handlersOf("Hello")}\nif (new Error().stack?.includes("jiti")) throw new Error("jiti was here");`,
    );
    const native = await taskferry(project, ["tasks"], { env: { NODE_OPTIONS: `--import=${loader}` } });
    expect(native).toMatchObject({ code: 0, stderr: "" });
    expect((await taskferry(project, ["tasks"])).stderr).toContain("jiti was here");
  });

  test("with a fault in it is explained by file and line, without a stack", async () => {
    await using project = await createApplication();
    const file = await project.write("taskferry.config.ts", "export default {\n  broker: ,\n};");
    const { code, stderr } = await taskferry(project, ["queues"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`error: The configuration file ${file} cannot be loaded.`);
    expect(stderr).toMatch(/because: .*\n?.*taskferry\.config\.ts:2/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect((await taskferry(project, ["queues", "--stack"])).stderr).toMatch(/\n\s+at /);
    expect((await taskferry(project, ["queues"], { env: { TASKFERRY_STACK: "1" } })).stderr).toMatch(/\n\s+at /);
  });
});

describe("without a configuration", () => {
  test("the environment names the broker, and the command says so", async () => {
    await using project = await createProject();
    const env = { TASKFERRY_BROKER: "sqlite:own.db" };
    const { code, stdout, stderr } = await taskferry(project, ["enqueue", "some.task", "--json"], { env });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ task: "some.task", status: "accepted" });
    expect(stderr).toContain(
      `No taskferry.config.{js,mjs,ts,mts} from ${project.folder} up; using TASKFERRY_BROKER (sqlite:own.db).`,
    );
    expect(JSON.parse((await taskferry(project, ["queues", "--json"], { env })).stdout)).toMatchObject([
      { queue: "default", ready: 1 },
    ]);
  });

  test("a broker is demanded in production", async () => {
    await using project = await createProject();
    expect(await taskferry(project, ["queues"], { env: { NODE_ENV: "production" } })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("(BROKER_NOT_SET)"),
    });
  });
});

describe("a reader", () => {
  test("that has seen enough is no failure", async () => {
    await using project = await createApplication();
    const child = spawn(process.execPath, [binary, "--help"], { cwd: project.folder, env: cleanEnv() });
    child.stdout.destroy();
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "close")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test("that is no terminal gets no colours", async () => {
    await using project = await createApplication();
    for (const args of [["tasks"], ["doctor"], ["bogus"], ["result", "x"]]) {
      const { stdout, stderr } = await taskferry(project, args);
      expect(stdout + stderr).not.toContain("\u001b");
    }
  });
});
