import { describe, expect, test } from "vitest";
import { runInProcess } from "./fake-terminal.ts";
import { createProject } from "./project.ts";
import { withShell } from "./shell.ts";

describe("what is given wrongly", () => {
  test.each([
    [["bogus"], "unknown command 'bogus'"],
    [["queues", "--bogus"], "unknown option '--bogus'"],
    [["enqueue"], "missing required argument 'name'"],
    [["enqueue", "a name"], "Expected a task name"],
    [["enqueue", "x", "{bad"], "expected the input as JSON"],
    [["enqueue", "x", "--timeout", "1s"], "--timeout needs --wait"],
    [["enqueue", "x", "--priority", "10"], "Expected a whole number from 0 to 9"],
    [["enqueue", "x", "--delay", "soon"], 'or a string such as "90s"'],
    [["result", "a b"], "Expected a task id"],
    [["dead", "replay"], "expected keys, or --all"],
    [["dead", "drop", "x", "--all"], "expected keys, or --all"],
    [["dead", "list", "--cursor", "x"], "--cursor needs --queue"],
    [["purge", "x", "--section", "running"], "Allowed choices are ready, delayed, dead, all"],
    [["worker", "--queues", "a=0"], "Expected a whole number from 1"],
  ])("is 2, and nothing is done: %j", (args, message) =>
    withShell(async ({ run }) => {
      const { code, stdout, stderr } = await run(...args);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(message);
      expect(stderr).toContain("--help");
      expect((await run("queues", "--json")).stdout).toBe("[]\n");
    }),
  );

  test("every command explains itself, with examples", async () => {
    await using project = await createProject();
    for (const command of [
      "worker",
      "enqueue",
      "result",
      "tasks",
      "queues",
      "purge",
      "doctor",
      "dead",
      "dead list",
      "dead show",
      "dead replay",
      "dead drop",
    ]) {
      const { code, stdout } = await runInProcess([...command.split(" "), "--help"], { cwd: project.folder });
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\n {2}\\$ taskferry ${command}`));
    }
    expect((await runInProcess([], { cwd: project.folder })).code).toBe(2);
    expect(await runInProcess(["--version"], { cwd: project.folder })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
  });
});
