import { describe, expect, test } from "vitest";
import { withShell, work } from "./shell.ts";

describe("pause and resume", () => {
  test("say what they did, and show what is paused", () =>
    withShell(async (shell) => {
      expect((await shell.run("pause")).stdout).toBe("No queue is paused.\n");
      expect((await shell.run("pause", "default", "images")).stdout).toBe("Paused default.\nPaused images.\n");
      expect((await shell.run("pause", "images")).stdout).toBe("images was paused already.\n");
      expect((await shell.run("pause")).stdout).toMatch(/^queue +paused at\ndefault +.* UTC\nimages +.* UTC\n$/);
      expect(JSON.parse((await shell.run("resume", "images", "--json")).stdout)).toEqual([
        { queue: "default", at: expect.any(Number) },
      ]);
      expect((await shell.run("resume", "default", "images")).stdout).toBe(
        "Resumed default.\nimages was not paused.\n",
      );
    }));
});

describe("move", () => {
  test("takes what waits to another queue", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.add", '{"a":1,"b":2}');
      await shell.run("enqueue", "math.add", '{"a":1,"b":2}', "--delay", "1h");
      expect(await shell.run("move", "sums", "slow")).toEqual({
        code: 0,
        stdout: "Moved 1 message from sums to slow.\n",
        stderr: "",
      });
      const moved = await shell.run("move", "sums", "slow", "--section", "delayed", "--limit", "5", "--json");
      expect(JSON.parse(moved.stdout)).toEqual({ moved: 1, left: [] });
      expect(JSON.parse((await shell.run("queues", "--json")).stdout)).toContainEqual({
        queue: "slow",
        ready: 1,
        running: 0,
        delayed: 1,
        dead: 0,
      });
    }));
});

describe("dead replay", () => {
  test("takes those of a task, a code and an age", () =>
    withShell(async (shell) => {
      await shell.run("enqueue", "math.fail", '{"of":"dead"}', "--id", "one");
      await work(shell, ["one"]);
      const replay = async (...flags: string[]) => (await shell.run("dead", "replay", ...flags)).stdout;
      expect(await replay("--task", "math.add")).toBe("Replayed 0 dead letters.\n");
      expect(await replay("--all", "--code", "TASK_TIMED_OUT")).toBe("Replayed 0 dead letters.\n");
      expect(await replay("--older-than", "1h")).toBe("Replayed 0 dead letters.\n");
      expect(await replay("--task", "math.fail", "--code", "TASK_FAILED")).toBe("Replayed 1 dead letter.\n");
    }));
});
