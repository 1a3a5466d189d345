import { describe, expect, test } from "vitest";
import { type Shell, withShell, work } from "./shell.ts";

describe("dead letters", () => {
  const kill = async (shell: Shell, ...ids: string[]): Promise<void> => {
    for (const id of ids) await shell.run("enqueue", "math.fail", '{"of":"dead"}', "--id", id);
    await work(shell, ids);
  };

  test("are listed, newest first", () =>
    withShell(async (shell) => {
      expect((await shell.run("dead", "list")).stdout).toBe("No dead letters.\n");
      await kill(shell, "first");
      await kill(shell, "second");
      const { stdout } = await shell.run("dead", "list");
      expect(stdout).toMatch(
        /^queue .*reason\ndefault .*second .*math\.fail +TASK_FAILED .* UTC +.*no luck at redis:\/\/\*\*\*@host\ndefault .*first/,
      );
      const [page] = JSON.parse(
        (await shell.run("dead", "list", "--json", "--queue", "default", "--limit", "1")).stdout,
      );
      expect(page).toMatchObject({
        queue: "default",
        cursor: expect.any(String),
        entries: [{ message: { id: "second", task: "math.fail" }, reason: { code: "TASK_FAILED" } }],
      });
      const next = await shell.run("dead", "list", "--queue", "default", "--limit", "1", "--cursor", page.cursor);
      expect(next.stdout).toMatch(/first/);
      expect(next.stdout).not.toMatch(/second/);
    }));

  test("are shown with reason, input and bytes", () =>
    withShell(async (shell) => {
      await kill(shell, "one");
      const { stdout } = await shell.run("dead", "show", "one");
      expect(stdout).toMatch(/code +TASK_FAILED\nreason +.*no luck at redis:\/\/\*\*\*@host\n/);
      expect(stdout).toMatch(/input as it travelled\n {2}\{"of":"dead"\}\n$/);
      const shown = JSON.parse((await shell.run("dead", "show", "one", "--json")).stdout);
      expect(shown).toMatchObject({
        queue: "default",
        message: { id: "one" },
        body: { text: '{"of":"dead"}' },
        size: expect.any(Number),
      });
      const raw = await shell.run("dead", "show", "one", "--raw");
      expect(raw.stdout).toBe(Buffer.from(shown.bytes, "base64").toString());
      expect(await shell.run("dead", "show", "none")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('got "none", which is not there in any queue'),
      });
    }));

  test("are replayed as a new run", () =>
    withShell(async (shell) => {
      await kill(shell, "one", "two", "three");
      const some = await shell.run("dead", "replay", "one", "none");
      expect(some).toEqual({ code: 1, stdout: "Replayed 1 dead letter.\n", stderr: "warning: none was not found.\n" });
      const all = await shell.run("dead", "replay", "--all", "--json");
      expect(all.code).toBe(0);
      expect(JSON.parse(all.stdout)).toMatchObject({
        replayed: [expect.any(String), expect.any(String)],
        missing: [],
        left: [],
      });
      expect(JSON.parse((await shell.run("queues", "--json")).stdout)).toEqual([
        { queue: "default", ready: 3, running: 0, delayed: 0, dead: 0 },
      ]);
    }));

  test("are dropped, all of them only when somebody agrees", () =>
    withShell(async (shell) => {
      await kill(shell, "one", "two", "three");
      expect(await shell.run("dead", "drop", "one", "none")).toMatchObject({
        code: 1,
        stdout: "Dropped 1 dead letter.\n",
      });
      expect(await shell.run("dead", "drop", "--all")).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("add --yes"),
      });
      expect(await shell.ask("n\n", "dead", "drop", "--all")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Drop 2 dead letters of default for good? [y/N]"),
      });
      expect(await shell.run("dead", "drop", "--all", "--yes", "--json")).toMatchObject({
        code: 0,
        stdout: '{\n  "dropped": 2,\n  "missing": []\n}\n',
      });
      expect((await shell.run("dead", "list", "--json")).stdout).toBe("[]\n");
    }));

  test("of one id in two queues must be told apart", () =>
    withShell(async (shell) => {
      await kill(shell, "one");
      await shell.run("enqueue", "math.fail", "--id", "one", "--queue", "sums");
      await work(shell, ["one"]);
      expect(await shell.run("dead", "show", "one")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("one in each of the queues default, sums. Name one with --queue."),
      });
      expect((await shell.run("dead", "show", "one", "--queue", "sums")).code).toBe(0);
    }));
});

describe("purge", () => {
  test("empties a section, when somebody agrees", () =>
    withShell(async ({ run, ask }) => {
      for (const delay of ["0", "0", "1h"]) await run("enqueue", "some.thing", "--delay", delay);
      expect(await run("purge", "default")).toMatchObject({
        code: 2,
        stdout: "",
        stderr: expect.stringContaining("add --yes"),
      });
      expect(await ask("", "purge", "default")).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("Nothing was removed."),
      });
      expect(await ask("y\n", "purge", "default")).toMatchObject({
        code: 0,
        stdout: "Removed from default: 2 ready.\n",
        stderr: expect.stringContaining("Remove from default for good: 2 ready? [y/N]"),
      });
      expect(await run("purge", "default", "--section", "all", "--yes", "--json")).toMatchObject({
        code: 0,
        stdout: '{\n  "queue": "default",\n  "removed": {\n    "ready": 0,\n    "delayed": 1,\n    "dead": 0\n  }\n}\n',
      });
      expect((await run("queues")).stdout).toBe("No queue holds a message.\n");
    }));
});
