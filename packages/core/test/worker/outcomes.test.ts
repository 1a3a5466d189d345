import { describe, expect, test } from "vitest";
import { CancelTask, defineTask, FailTask, RetryLater } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

describe("outcomes", () => {
  test("a result reaches the caller, with who ran it and when", async () => {
    const add = defineTask<{ a: number; b: number }, number>("add");
    const { client, worker } = await stage([add.handler(({ a, b }) => a + b)]);
    const handle = await client.enqueue(add, { a: 1, b: 2 });
    expect(await handle.result()).toBe(3);
    const outcome = await handle.outcome();
    expect(outcome).toMatchObject({
      status: "succeeded",
      result: 3,
      id: handle.id,
      task: "add",
      attempt: 0,
      run: 0,
      worker: worker.name,
    });
    expect(outcome.finishedAt).toBeGreaterThanOrEqual(outcome.startedAt ?? Number.NaN);
  });

  test("a failure under its retry policy runs again until its attempts are used up, then lies in the dead letters", async () => {
    const flaky = defineTask<void, void>("flaky", { retry: { attempts: 3, backoff: { from: 1, to: 5 } } });
    const attempts: number[] = [];
    const { client, events, seen } = await stage([
      flaky.handler((_, { attempt }) => {
        attempts.push(attempt);
        throw new Error(`boom ${attempt}`, { cause: new Error("deeper") });
      }),
    ]);
    const handle = await client.enqueue(flaky);
    const failure = await handle.result().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      name: "TaskFailedError",
      code: "TASK_FAILED",
      id: handle.id,
      attempt: 3,
      cause: { message: "boom 2", cause: { message: "deeper" } },
    });
    expect(attempts).toEqual([0, 1, 2]);
    await seen("task.failed");
    const letters = await client.deadLetters.list("default");
    expect(letters.entries).toMatchObject([
      { message: { id: handle.id, attempt: 2, hop: 2 }, reason: { code: "TASK_FAILED", message: "Error: boom 2" } },
    ]);
    expect(events.filter(({ type }) => type === "task.retrying")).toHaveLength(2);
  });

  test("a task that succeeds at its second attempt succeeds", async () => {
    const flaky = defineTask<void, string>("flaky", { retry: { attempts: 2, backoff: { from: 0, to: 0 } } });
    const { client } = await stage([
      flaky.handler((_, { attempt }) => {
        if (attempt === 0) throw new Error("first");
        return "second";
      }),
    ]);
    const handle = await client.enqueue(flaky);
    expect(await handle.outcome()).toMatchObject({ status: "succeeded", result: "second", attempt: 1 });
  });

  test("FailTask spends no further attempt", async () => {
    const strict = defineTask("strict", { retry: { attempts: 5, backoff: { from: 0, to: 0 } } });
    let runs = 0;
    const { client } = await stage([
      strict.handler(() => {
        runs += 1;
        throw new FailTask("this will never work");
      }),
    ]);
    expect(await (await client.enqueue(strict)).outcome()).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { name: "FailTask", code: "TASK_FAILED" },
    });
    expect(runs).toBe(1);
  });

  test("CancelTask cancels with its reason", async () => {
    const moot = defineTask("moot");
    const { client } = await stage([
      moot.handler(() => {
        throw new CancelTask("nobody wants it");
      }),
    ]);
    const handle = await client.enqueue(moot);
    await expect(handle.result()).rejects.toMatchObject({
      name: "TaskCancelledError",
      code: "TASK_CANCELLED",
      reason: "nobody wants it",
    });
    expect((await client.deadLetters.list("default")).entries).toEqual([]);
  });

  test("RetryLater counts no attempt", async () => {
    const patient = defineTask<void, number>("patient");
    const seen: number[] = [];
    const { client } = await stage([
      patient.handler((_, { attempt }) => {
        seen.push(attempt);
        if (seen.length < 4) throw new RetryLater(1);
        return seen.length;
      }),
    ]);
    expect(await (await client.enqueue(patient)).result()).toBe(4);
    expect(seen).toEqual([0, 0, 0, 0]);
  });

  test("a timeout aborts the signal with its reason and counts as failed", async () => {
    const slow = defineTask("slow", { timeout: "20ms" });
    const reason = gate<unknown>();
    const { client } = await stage([
      slow.handler(
        (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reason.open(signal.reason);
              reject(new Error("stopped"));
            });
          }),
      ),
    ]);
    expect(await (await client.enqueue(slow)).outcome()).toMatchObject({
      status: "failed",
      error: { code: "TASK_TIMED_OUT", message: expect.stringContaining("20 ms") },
    });
    expect(await reason.promise).toMatchObject({ code: "TASK_TIMED_OUT" });
  });

  test("a handler that never settles fails at its timeout all the same, and its slot is free again", async () => {
    const hung = defineTask("hung", { timeout: "10ms" });
    const quick = defineTask<void, string>("quick");
    const { client, seen } = await stage(
      [hung.handler(() => new Promise(() => undefined)), quick.handler(() => "done")],
      { queues: { default: { concurrency: 1 } } },
    );
    const handle = await client.enqueue(hung);
    const next = await client.enqueue(quick);
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code: "TASK_TIMED_OUT" } });
    await seen("task.abandoned");
    expect(await next.result()).toBe("done");
  });

  test("what has expired before it starts is cancelled unrun", async () => {
    const late = defineTask("late", { expires: 0 });
    let runs = 0;
    const onLate = late.handler(() => {
      runs += 1;
    });
    const { client } = await stage([onLate]);
    const handle = await client.enqueue(late);
    await expect(handle.result()).rejects.toMatchObject({ code: "TASK_EXPIRED" });
    expect(runs).toBe(0);
  });

  test.each([
    ["undefined", () => Promise.reject(undefined), "threw undefined"],
    [
      "synchronously",
      () => {
        throw new Error("at once");
      },
      "at once",
    ],
    [
      "later",
      async () => {
        await new Promise(setImmediate);
        throw new Error("later");
      },
      "later",
    ],
    ["a string", () => Promise.reject("text"), '"text"'],
  ] as const)("a handler that throws %s fails with a cause that says so", async (_, run, message) => {
    const bad = defineTask("bad");
    const { client } = await stage([bad.handler(run as () => Promise<void>)]);
    expect(await (await client.enqueue(bad)).outcome()).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining(message) },
    });
  });

  test.each([
    ["a function", () => ({ inner: () => 1 }), "$.inner"],
    [
      "a cycle",
      () => {
        const value: Record<string, unknown> = {};
        value["self"] = value;
        return value;
      },
      "$.self",
    ],
  ] as const)("a handler that returns %s fails for good, with the path", async (_, run, path) => {
    const bad = defineTask<void, unknown>("bad", { retry: { attempts: 3, backoff: { from: 0, to: 0 } } });
    const { client } = await stage([bad.handler(run)]);
    expect(await (await client.enqueue(bad)).outcome()).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { code: "NOT_SERIALIZABLE", message: expect.stringContaining(path) },
    });
  });

  test("options of one enqueue hold over those of the task", async () => {
    const flaky = defineTask("flaky", { retry: { attempts: 1 } });
    const { client } = await stage([
      flaky.handler(() => {
        throw new Error("boom");
      }),
    ]);
    const handle = await client.enqueue(flaky, undefined, { retry: { attempts: 3, backoff: { from: 0, to: 0 } } });
    expect(await handle.outcome()).toMatchObject({ status: "failed", attempt: 3 });
  });

  test("headers reach the handler", async () => {
    const peek = defineTask<void, unknown>("peek");
    const { client } = await stage([peek.handler((_, { headers }) => ({ ...headers }))]);
    expect(await (await client.enqueue(peek, undefined, { headers: { tenant: "blue" } })).result()).toEqual({
      tenant: "blue",
    });
  });

  test("progress is followed to its last value", async () => {
    const steps = defineTask("steps");
    const go = gate();
    const { client } = await stage([
      steps.handler(async (_, { progress }) => {
        progress(0.25, "a quarter");
        await go.promise;
        progress(1, "done");
      }),
    ]);
    const handle = await client.enqueue(steps);
    const seen: unknown[] = [];
    for await (const { value, note } of handle.progress()) {
      seen.push([value, note]);
      go.open();
    }
    expect(seen).toEqual([
      [0.25, "a quarter"],
      [1, "done"],
    ]);
  });
});
