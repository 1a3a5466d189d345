import { describe, expect, test } from "vitest";
import { withShell, work } from "./shell.ts";

describe("cancel", () => {
  test("takes back what waits, and tells what has ended", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.add", '{"a":1,"b":2}', "--id", "done");
      await work(shell, ["done"]);
      await shell.run("enqueue", "math.add", '{"a":1,"b":2}', "--id", "waits", "--delay", "1h");
      const cancelled = await shell.run("cancel", "waits", "done", "unheard-of", "--reason", "not needed", "--json");
      expect(cancelled.code).toBe(0);
      expect(JSON.parse(cancelled.stdout)).toEqual([
        { id: "waits", status: "finished" },
        { id: "done", status: "finished" },
        { id: "unheard-of", status: "requested" },
      ]);
      expect(JSON.parse((await shell.run("result", "waits", "--json")).stdout)).toMatchObject({
        status: "cancelled",
        reason: "not needed",
      });
      expect(JSON.parse((await shell.run("result", "done", "--json")).stdout)).toMatchObject({ status: "succeeded" });
    }));

  test("prints a line for each", () =>
    withShell(async (shell) => {
      const { stdout, code } = await shell.run("cancel", "one", "--force", "--grace", "2s");
      expect(code).toBe(0);
      expect(stdout).toContain("one  finished  it has ended");
    }));

  test("refuses ids that can be none, and durations that are none", () =>
    withShell(async (shell) => {
      expect(await shell.run("cancel", "not an id")).toMatchObject({ code: 2 });
      expect(await shell.run("cancel", "one", "--grace", "soon")).toMatchObject({ code: 2 });
    }));
});
