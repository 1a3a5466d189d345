import { describe, expect, test } from "vitest";
import { runInProcess } from "./fake-terminal.ts";
import { withShell, work } from "./shell.ts";

describe("enqueue", () => {
  test("by name, with the options and the schema of the configuration's task", () =>
    withShell(async (shell) => {
      const enqueued = await shell.run("enqueue", "math.add", '{"a":1,"b":2}', "--id", "one");
      expect(enqueued).toEqual({ code: 0, stdout: "one\n", stderr: "" });
      const refused = await shell.run("enqueue", "math.add", '{"a":"x"}');
      expect(refused).toEqual({
        code: 1,
        stdout: "",
        stderr: "error: The input of math.add does not match its schema: $.a: a is no number (INPUT_INVALID)\n",
      });
      await work(shell, ["one"]);
      const result = await shell.run("result", "one", "--json");
      expect(JSON.parse(result.stdout)).toMatchObject({
        id: "one",
        task: "math.add",
        status: "succeeded",
        result: 3,
        attempt: 0,
      });
      expect(result.code).toBe(0);
    }));

  test("without a definition goes with defaults, and says so", () =>
    withShell(async ({ run }) => {
      const { code, stdout, stderr } = await run(
        "enqueue",
        "some.thing",
        "--json",
        "--queue",
        "other",
        "--priority",
        "9",
        "--delay",
        "1h",
      );
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual({
        id: expect.any(String),
        task: "some.thing",
        queue: "other",
        status: "accepted",
      });
      expect(stderr).toContain('no handler of this configuration runs "some.thing"');
      expect(JSON.parse((await run("queues", "--json")).stdout)).toEqual([
        { queue: "other", ready: 0, running: 0, delayed: 1, dead: 0 },
      ]);
    }));

  test("goes without a module that cannot be loaded, and says so", () =>
    withShell(async ({ run, project }) => {
      await project.write("handlers.mjs", 'throw new Error("out of order");');
      const { code, stderr } = await run("enqueue", "math.add", "{}");
      expect(code).toBe(0);
      expect(stderr).toContain("warning: handlers: the module ./handlers.mjs could not be loaded: out of order");
    }));

  test("twice under one id adds nothing", () =>
    withShell(async ({ run }) => {
      await run("enqueue", "some.thing", "--id", "same");
      const second = await run("enqueue", "some.thing", "--id", "same", "--json");
      expect(JSON.parse(second.stdout)).toMatchObject({ id: "same", status: "duplicate" });
      expect(second.stderr).toContain("The broker had same already");
    }));

  test("reads its input from standard input", () =>
    withShell(async (shell) => {
      const { code } = await runInProcess(["enqueue", "math.add", "-", "--id", "piped"], {
        cwd: shell.project.folder,
        input: '{"a": 20, "b": 22}',
      });
      expect(code).toBe(0);
      await work(shell, ["piped"]);
      expect((await shell.run("result", "piped")).stdout).toMatch(/status +succeeded\n[\s\S]*result\n {2}42\n$/);
    }));

  test("waits, and gives up when told to", () =>
    withShell(async ({ run }) => {
      const { code, stdout, stderr } = await run(
        "enqueue",
        "math.add",
        '{"a":1}',
        "--id",
        "slow",
        "--wait",
        "--timeout",
        "1",
      );
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain("Enqueued slow in sums.");
      expect(stderr).toContain("error: Task slow had no outcome after 1 ms.");
    }));
});

describe("result", () => {
  test("is found in whichever queue the task waits", () =>
    withShell(async ({ run }) => {
      await run("enqueue", "some.thing", "--id", "there", "--queue", "far.away");
      const { code, stdout } = await run("result", "there");
      expect({ code, stdout }).toEqual({
        code: 1,
        stdout: "Task there has no outcome yet: it waits, is delayed or runs.\n",
      });
      expect(JSON.parse((await run("result", "there", "--json")).stdout)).toEqual({ id: "there", status: "pending" });
      expect(JSON.parse((await run("result", "there", "--json", "--queue", "sums")).stdout)).toEqual({
        id: "there",
        status: "unknown",
      });
    }));

  test("waits for what waits, and not for what is not there", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.add", '{"a":1,"b":1}', "--id", "soon");
      const waiting = shell.run("result", "soon", "--wait", "--json");
      await work(shell, ["soon"]);
      expect(JSON.parse((await waiting).stdout)).toMatchObject({ status: "succeeded", result: 2 });
      const { code, stdout } = await shell.run("result", "never", "--wait");
      expect({ code, stdout }).toEqual({
        code: 1,
        stdout: "Task never is not known: it neither waits nor runs, and has no outcome.\n",
      });
    }));

  test("of a failed task is 1, and holds no password", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.fail", "--id", "bad");
      await work(shell, ["bad"]);
      const { code, stdout } = await shell.run("result", "bad");
      expect(code).toBe(1);
      expect(stdout).toMatch(/status +failed\n[\s\S]*error\n {2}Error: no luck at redis:\/\/\*\*\*@host\n$/);
      expect((await shell.run("result", "bad", "--json")).stdout).not.toContain("canary");
    }));

  test("is refused where outcomes are not kept", () =>
    withShell(async ({ run, project, broker }) => {
      await project.write("none.mjs", `export default { broker: "${broker}", results: false };`);
      expect(await run("result", "x", "-c", "none.mjs")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("RESULTS_UNAVAILABLE"),
      });
      expect((await run("enqueue", "x", "-c", "none.mjs")).code).toBe(0);
    }));
});
