import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  chain,
  chord,
  createWorker,
  type Logger,
  type Middleware,
  map,
  memory,
  shortCircuit,
} from "../../src/index.ts";
import { stage } from "../worker/setup.ts";
import * as tasks from "./fixtures/tasks.ts";

const handlers = [new URL("./fixtures/handlers.ts", import.meta.url)];
const isolation = { threads: 2, processes: 1, maxMemory: "64mb" };

/** Lines that a worker logs, and the first that has a message. */
function listen(): { readonly logger: Logger; line(message: string): Promise<Readonly<Record<string, unknown>>> } {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const waiters = new Set<() => void>();
  const create = (base: object): Logger => {
    const write = (fields: object, message: string): void => {
      lines.push({ ...base, ...fields, message });
      for (const waiter of waiters) waiter();
    };
    return { debug: write, info: write, warn: write, error: write, child: (fields) => create({ ...base, ...fields }) };
  };
  const line = (message: string): Promise<Readonly<Record<string, unknown>>> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = lines.find((one) => one["message"] === message);
        if (found !== undefined) resolve(found);
      };
      waiters.add(look);
      look();
    });
  return { logger: create({}), line };
}

async function temporaryFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-isolation-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "told");
}

describe("a task with isolation", () => {
  test("runs in a thread or process, one task at a time, which is kept for the next", async () => {
    const { client } = await stage(handlers, { isolation: { ...isolation, threads: 1 } });
    expect(await (await client.enqueue(tasks.add, { a: 1, b: 2 })).result()).toBe(3);
    expect(await (await client.enqueue(tasks.addApart, { a: 1, b: 2 })).result()).toBe(3);
    const first = await (await client.enqueue(tasks.where)).result();
    expect(first).toEqual({ pid: process.pid, thread: expect.any(Number) });
    expect(first.thread).not.toBe(0);
    expect(await (await client.enqueue(tasks.where)).result()).toEqual(first);
    const apart = await (await client.enqueue(tasks.whereApart)).result();
    expect(apart.thread).toBe(0);
    expect(apart.pid).not.toBe(process.pid);
    expect(await (await client.enqueue(tasks.whereApart)).result()).toEqual(apart);
  });

  test("has a young generation for many tasks, unless its memory is limited", async () => {
    const optionsUnder = async (maxMemory: string | undefined): Promise<readonly string[]> => {
      const { client } = await stage(handlers, {
        isolation: { processes: 1, ...(maxMemory !== undefined && { maxMemory }) },
      });
      return (await (await client.enqueue(tasks.whereApart)).result()).options;
    };
    expect(await optionsUnder(undefined)).toContain("--max-semi-space-size=64");
    expect(await optionsUnder("100mb")).not.toContain("--max-semi-space-size=64");
  });

  test("is given a new thread after `maxTasks`", async () => {
    const { client } = await stage(handlers, { isolation: { threads: 1, maxTasks: 2 } });
    const threads: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) threads.push((await (await client.enqueue(tasks.where)).result()).thread);
    expect(new Set(threads).size).toBe(2);
    expect(threads[0]).toBe(threads[1]);
  });

  test("tells its context, its progress and its log across", async () => {
    const { logger, line } = listen();
    const { client } = await stage(handlers, { isolation, logger });
    const handle = await client.enqueue(tasks.tell, "a word", { headers: { colour: "blue" }, id: "told" });
    expect(await handle.result()).toEqual({
      id: "told",
      attempt: 0,
      headers: { colour: "blue" },
      deliveryCount: 1,
    });
    const steps: object[] = [];
    for await (const step of handle.progress()) steps.push(step);
    expect(steps).toEqual([{ value: 0.5, note: "half way", at: expect.any(Number) }]);
    const told = await line("told");
    expect(told).toMatchObject({ task: "tell", id: "told", attempt: 0, more: "a word", big: "1" });
    expect(told["error"]).toMatchObject({
      name: "RangeError",
      message: "with a cause",
      cause: { message: "the cause" },
    });
  });

  test("hears why its signal aborts", async () => {
    const file = await temporaryFile();
    const { client, worker, seen } = await stage(handlers, { isolation, shutdown: { timeout: 0, grace: "20s" } });
    await client.enqueue(tasks.listen, file);
    await started(file);
    await worker.stop();
    expect(await readFile(file, "utf8")).toMatch(/^AbortedError WORKER_STOPPING The worker is stopping/);
    expect((await seen("task.released")).task).toBe("listen");
  });

  test("keeps what was thrown: its code, cause and stack, and what taskferry's own errors mean", async () => {
    const { client, seen } = await stage(handlers, { isolation });
    const outcome = async (how: string) =>
      (await client.enqueue(tasks.misbehave, how, { retry: { attempts: 1 } })).outcome();
    expect(await outcome("odd")).toMatchObject({
      status: "failed",
      error: { name: "TypeError", message: "odd", code: "ODD", cause: { message: "deeper" } },
    });
    expect(await outcome("nothing")).toMatchObject({ status: "failed", error: { name: "NonError" } });
    expect(await outcome("cancel")).toMatchObject({ status: "cancelled", reason: "no longer" });
    expect(await outcome("fail")).toMatchObject({ status: "failed", error: { name: "FailTask", message: "for good" } });
    expect(await outcome("wrong")).toMatchObject({ status: "failed", attempt: 1, error: { code: "OUTPUT_INVALID" } });
    await client.enqueue(tasks.misbehave, "later");
    expect(await seen("task.retrying")).toMatchObject({ attempt: 0, delay: 3_600_000, error: undefined });
    const { entries } = await client.deadLetters.list("default");
    expect(entries.map(({ reason }) => reason?.code).toSorted()).toEqual([
      "OUTPUT_INVALID",
      "TASK_FAILED",
      "TASK_FAILED",
      "TASK_FAILED",
    ]);
  });

  test("whose input does not match is refused there, unrun", async () => {
    const { client, seen } = await stage(handlers, { isolation });
    const { misbehave } = tasks;
    const unchecked = { ...misbehave, input: undefined };
    const handle = await client.enqueue(unchecked as typeof misbehave, 7 as never);
    expect(await handle.outcome()).toMatchObject({ status: "failed", attempt: 0, error: { code: "INPUT_INVALID" } });
    expect((await seen("task.rejected")).reason.code).toBe("INPUT_INVALID");
  });

  test("in an endless loop ends soon after its timeout, and those beside it finish", async () => {
    const { client, events } = await stage(handlers, {
      isolation: { threads: 4, processes: 2 },
      queues: { default: { concurrency: 40 } },
    });
    const warm = [1, 2, 3, 4].map(() => client.enqueue(tasks.nap, 200));
    const warmApart = [1, 2].map(() => client.enqueue(tasks.addApart, { a: 1, b: 1 }));
    for (const handle of await Promise.all([...warm, ...warmApart])) await handle.outcome();

    const spins = await Promise.all([client.enqueue(tasks.spin), client.enqueue(tasks.spinApart)]);
    const beside = await Promise.all(
      Array.from({ length: 19 }, (_, index) => client.enqueue(index < 3 ? tasks.nap : tasks.napHere, 3_000)),
    );
    for (const spin of spins) {
      const outcome = await spin.outcome();
      expect(outcome).toMatchObject({ status: "failed", error: { code: "TASK_TIMED_OUT" } });
      // Its timeout, its grace, and a second.
      expect(outcome.finishedAt - (outcome.startedAt ?? 0)).toBeLessThan(300 + 1_000 + 1_000);
    }
    expect(await Promise.all(beside.map((nap) => nap.result()))).toEqual(beside.map(() => 3_000));
    expect(events.map(({ type }) => type)).not.toContain("task.abandoned");
  });

  test("in an endless loop is ended by a forced cancellation", async () => {
    const { client, seen, events } = await stage(handlers, { isolation });
    await (await client.enqueue(tasks.nap, 1)).result();
    const handle = await client.enqueue(tasks.spinOn);
    await seen("task.started", ({ task }) => task === "spin-on");
    await handle.cancel("enough", { mode: "force", grace: 100 });
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "enough" });
    await seen("task.executed", ({ task }) => task === "spin-on");
    expect(await (await client.enqueue(tasks.nap, 1)).result()).toBe(1);
    expect(events.map(({ type }) => type)).not.toContain("task.abandoned");
  });

  test("enqueues others through the worker, checked where their schema is", async () => {
    const { client } = await stage(handlers, { isolation });
    const handle = await client.enqueue(tasks.parent, { a: 20, b: 22 }, { id: "one" });
    expect(await handle.result()).toBe("one-child INPUT_INVALID");
    expect(await client.handle(tasks.addApart, "one-child").result()).toBe(42);
  });

  test("reads the results of a group through the worker", async () => {
    const { client } = await stage(handlers, { isolation });
    const naps = [1, 2, 3];
    expect(await (await client.enqueue(chain(map(tasks.nap), tasks.total), naps)).result()).toBe(6);
    expect(await (await client.enqueue(chord(map(tasks.nap), tasks.lazyTotal), naps)).result()).toBe(6);
  });

  test("that needs more memory than it may have fails alone", async () => {
    const { client } = await stage(handlers, { isolation });
    const nap = await client.enqueue(tasks.nap, 100);
    const hoard = await client.enqueue(tasks.hoard);
    expect(await hoard.outcome()).toMatchObject({
      status: "failed",
      error: {
        name: "CrashError",
        code: "TASK_CRASHED",
        message: expect.stringContaining("ran out of its memory of 64 MB"),
      },
    });
    expect(await nap.result()).toBe(100);
    expect(await (await client.enqueue(tasks.hoardApart)).outcome()).toMatchObject({
      status: "failed",
      error: { code: "TASK_CRASHED", message: expect.stringContaining("ended by SIGABRT: it may have run out of") },
    });
    expect(await (await client.enqueue(tasks.add, { a: 1, b: 1 })).result()).toBe(2);
  });

  test.each([
    ["process", "exit", "ended with code 3"],
    ["process", "kill", "ended by SIGKILL"],
    ["process", "throw", "ended with code 1"],
    ["thread", "exit", "ended with code 3"],
    ["thread", "throw", "nobody catches this"],
  ] as const)("that ends its %s by %s fails", async (where, how, why) => {
    const task = where === "process" ? tasks.leave : tasks.leaveThread;
    const { client } = await stage(handlers, { isolation });
    const outcome = await (await client.enqueue(task, how as "exit")).outcome();
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "TASK_CRASHED", message: expect.stringContaining(why) },
    });
    if (how === "throw") expect(outcome).toMatchObject({ error: { cause: { message: "nobody catches this" } } });
  });

  test("that crashes is tried again as its retry policy says", async () => {
    const { client, seen } = await stage(handlers, { isolation });
    const retry = { attempts: 2, backoff: { from: 1, to: 1 } };
    const handle = await client.enqueue(tasks.leave, "exit", { retry });
    expect(await seen("task.retrying")).toMatchObject({ error: { code: "TASK_CRASHED" } });
    expect(await handle.outcome()).toMatchObject({ status: "failed", attempt: 2 });
  });

  test("that waits for a thread is handed back unspent when the worker stops, and never starts", async () => {
    const files = await Promise.all([1, 2, 3].map(() => temporaryFile()));
    const { client, worker, events } = await stage(handlers, {
      isolation: { threads: 1 },
      shutdown: { timeout: 0, grace: "20s" },
    });
    for (const file of files) await client.enqueue(tasks.listen, file);
    await started(files[0] as string);
    await worker.stop();
    const released = events.filter(({ type }) => type === "task.released");
    expect(released.map((event) => "attempt" in event && event.attempt)).toEqual([0, 0, 0]);
    expect(files.map((file) => existsSync(`${file}.started`))).toEqual([true, false, false]);
  });

  test("goes through middlewares in the worker, which see its input and what came of it", async () => {
    const seen: unknown[] = [];
    const middleware: Middleware = {
      name: "look",
      execute: async ({ input, message }, next) => {
        seen.push(input);
        if (message.headers?.["short"] !== undefined) return shortCircuit(99);
        try {
          const value = await next();
          seen.push(value);
          return message.headers?.["more"] === undefined ? value : (value as number) + 1;
        } catch (error) {
          seen.push((error as Error).name);
          throw error;
        }
      },
    };
    const { client } = await stage(handlers, { isolation, middlewares: [middleware] });
    const sum = { a: 1, b: 2 };
    expect(await (await client.enqueue(tasks.add, sum)).result()).toBe(3);
    expect(await (await client.enqueue(tasks.add, sum, { headers: { more: "1" } })).result()).toBe(4);
    expect(await (await client.enqueue(tasks.add, sum, { headers: { short: "1" } })).result()).toBe(99);
    expect(await (await client.enqueue(tasks.misbehave, "cancel")).outcome()).toMatchObject({ status: "cancelled" });
    expect(await (await client.enqueue(tasks.misbehave, "wrong")).outcome()).toMatchObject({ attempt: 1 });
    expect(seen).toEqual([sum, 3, sum, 3, sum, "cancel", "CancelTask", "wrong", "ValidationError"]);
  });

  test("needs modules: a handler given by value is refused at start", async () => {
    const worker = createWorker({ broker: memory(), handlers: [tasks.add.handler(() => 1)] });
    await expect(worker.start()).rejects.toMatchObject({
      code: "ISOLATION_NEEDS_MODULE",
      message: expect.stringContaining("the handler of add to be named by its module"),
    });
    const other = createWorker({
      broker: memory(),
      handlers: [tasks.add.handler(() => 1)],
      isolation: { loop: "apart" },
    });
    await expect(other.start()).rejects.toMatchObject({ code: "ISOLATION_NEEDS_MODULE" });
  });

  test("refuses settings out of range, all at once", async () => {
    const wrong = { threads: 0, processes: 1.5, maxMemory: "many", loop: "there" } as never;
    await expect(createWorker({ broker: memory(), handlers, isolation: wrong }).start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      problems: [
        expect.stringContaining("isolation.threads"),
        expect.stringContaining("isolation.processes"),
        expect.stringContaining("isolation.loop"),
        expect.stringContaining("isolation.maxMemory"),
      ],
    });
  });
});

async function started(file: string): Promise<void> {
  while (!existsSync(`${file}.started`)) await new Promise(setImmediate);
}
