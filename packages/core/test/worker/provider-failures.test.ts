import { describe, expect, test } from "vitest";
import { CancelTask, defineTask, provide, RetryLater } from "../../src/index.ts";
import { errorLog, witness } from "./provider-witness.ts";
import { stage } from "./setup.ts";

const retry = { attempts: 2, backoff: { from: 0, to: 0 } };
const echo = defineTask<string, string>("echo", { retry });

describe("failures", () => {
  test("the error of the task reaches every clean-up, the last made first, at each attempt", async () => {
    const notes: string[] = [];
    const pool = witness("pool", notes, { scope: "worker" });
    const outer = witness("outer", notes, { scope: "task", needs: { pool } });
    const inner = witness("inner", notes, { scope: "task" });
    const handler = echo.handler({ outer, inner }, (_, { attempt }) => {
      throw new Error(`boom ${attempt}`);
    });
    const { client } = await stage([handler]);
    expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({ error: { message: "boom 1" } });
    expect(notes).toEqual([
      "pool 1 made",
      "outer 1 made",
      "inner 1 made",
      "inner failed: boom 0",
      "outer failed: boom 0",
      "outer 2 made",
      "inner 2 made",
      "inner failed: boom 1",
      "outer failed: boom 1",
    ]);
  });

  test("a clean-up that swallows the error makes no success of it", async () => {
    const calm = provide(
      "calm",
      function* () {
        try {
          yield 1;
        } catch {
          // Nothing: a transaction would be rolled back here.
        }
      },
      { scope: "task" },
    );
    const { client } = await stage([
      echo.handler({ calm }, () => {
        throw new Error("boom");
      }),
    ]);
    expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({ status: "failed", attempt: 2 });
  });

  test("a clean-up that fails fails its task, and what ends after it learns of that", async () => {
    const notes: string[] = [];
    const outer = witness("outer", notes, { scope: "task" });
    const commit = provide(
      "commit",
      function* () {
        yield 1;
        throw new Error("no commit");
      },
      { scope: "task" },
    );
    const { client } = await stage([echo.handler({ outer, commit }, () => "fine")]);
    expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({
      status: "failed",
      error: { message: "no commit" },
    });
    expect(notes.slice(0, 2)).toEqual(["outer 1 made", "outer failed: no commit"]);
  });

  test("a clean-up that fails after its task failed is logged, and the task's own error stands", async () => {
    const errors: object[] = [];
    const rollback = provide(
      "rollback",
      function* () {
        try {
          yield 1;
        } finally {
          // biome-ignore lint/correctness/noUnsafeFinally: a clean-up may be as wrong as this
          throw new Error("no rollback");
        }
      },
      { scope: "task" },
    );
    const handler = echo.handler({ rollback }, () => {
      throw new Error("boom");
    });
    const { client } = await stage([handler], { logger: errorLog(errors) });
    expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({ error: { message: "boom" } });
    expect(errors[0]).toMatchObject({ provider: "rollback", error: { message: "no rollback" } });
  });

  test("what a factory throws is the task's error; what was made before it ends, and the next attempt makes again", async () => {
    const notes: string[] = [];
    const outer = witness("outer", notes, { scope: "task" });
    let tries = 0;
    const flaky = provide(
      "flaky",
      async () => {
        tries += 1;
        if (tries === 1) throw new Error("not yet");
        return tries;
      },
      { scope: "worker" },
    );
    const { client, events } = await stage([echo.handler({ outer, flaky }, (_, { flaky }) => String(flaky))]);
    expect(await (await client.enqueue(echo, "")).result()).toBe("2");
    expect(notes).toEqual(["outer 1 made", "outer failed: not yet", "outer 2 made", "outer ended"]);
    expect(events.find(({ type }) => type === "task.retrying")).toMatchObject({ error: { message: "not yet" } });
  });

  test.each([
    ["CancelTask", new CancelTask("unwanted"), "cancelled"],
    ["RetryLater", new RetryLater(0), "succeeded"],
  ] as const)("a factory may throw %s as a handler may", async (_, error, status) => {
    let times = 0;
    const guard = provide(
      "guard",
      () => {
        times += 1;
        if (times === 1) throw error;
        return times;
      },
      { scope: "task" },
    );
    const { client } = await stage([echo.handler({ guard }, () => "ran")]);
    expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({ status, attempt: 0 });
  });

  test("a task that timed out is a failure for its clean-ups, although its handler returned", async () => {
    const notes: string[] = [];
    const tx = witness("tx", notes, { scope: "task" });
    const slow = defineTask("slow", { timeout: "10ms" });
    const handler = slow.handler(
      { tx },
      (_, { signal }) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    );
    const { client } = await stage([handler]);
    await (await client.enqueue(slow)).outcome();
    expect(notes[1]).toMatch(/^tx failed: .*timeout of 10 ms/);
  });

  test("a generator must yield, and once", async () => {
    const none = provide("none", function* (): Generator<number> {}, { scope: "task" });
    const twice = provide(
      "twice",
      function* () {
        yield 1;
        yield 2;
      },
      { scope: "task" },
    );
    for (const [provider, problem] of [
      [none, 'The provider "none" failed: its generator ended before it yielded a value.'],
      [twice, 'The provider "twice" failed: its generator yielded a second value.'],
    ] as const) {
      const { client } = await stage([echo.handler({ provider }, () => "")]);
      expect(await (await client.enqueue(echo, "")).outcome()).toMatchObject({
        status: "failed",
        error: { code: "PROVIDER_FAILED", message: problem },
      });
    }
  });
});
