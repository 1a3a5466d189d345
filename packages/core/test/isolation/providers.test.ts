import { describe, expect, test } from "vitest";
import { createWorker, type Isolation, type Logger, memory, retryByError, silentLogger } from "../../src/index.ts";
import { stage } from "../worker/setup.ts";
import { Flaw, pool, tasks } from "./fixtures/needs.ts";

const fixture = (name: string): URL => new URL(`./fixtures/${name}.ts`, import.meta.url);
const handlers = [fixture("needs")];

type Line = Readonly<Record<string, unknown>>;

/** What the providers of the fixture told, in order. */
function listen(): { readonly logger: Logger; readonly lines: readonly Line[]; messages(): readonly unknown[] } {
  const lines: Line[] = [];
  const create = (base: object): Logger => ({
    ...silentLogger,
    info: (fields, message) => void lines.push({ ...base, ...fields, message }),
    child: (fields) => create({ ...base, ...fields }),
  });
  const own = /^(?:pool|committed|rolled)/;
  return {
    logger: create({}),
    lines,
    messages: () => lines.map(({ message }) => message).filter((message) => own.test(String(message))),
  };
}

const places: readonly (readonly [string, Isolation, object])[] = [
  ["a thread", "thread", { threads: 1 }],
  ["a process", "process", { processes: 1 }],
  ["the process of the event loop", "loop", { loop: "apart" }],
];

describe.each(places)("what handlers need in %s", (_, kind, isolation) => {
  const task = tasks[kind];

  test("is made there, once for all its tasks or once for each, and ends before it does", async () => {
    const { logger, messages } = listen();
    const { client, worker } = await stage(handlers, { isolation, logger, name: "w1" });
    const first = await (await client.enqueue(task, "", { id: "a" })).result();
    expect(first).toMatchObject({ pool: { made: 1, worker: "w1" }, transaction: "a over pool 1" });
    expect([first.pid, first.thread]).not.toEqual([process.pid, 0]);
    const second = await (await client.enqueue(task, "", { id: "b" })).result();
    expect(second).toEqual({ ...first, transaction: "b over pool 1" });
    expect(messages()).toEqual(["pool made", "committed", "committed"]);
    await worker.stop();
    expect(messages()).toEqual(["pool made", "committed", "committed", "pool ended"]);
  });

  test("learns of the error of its task, and of its timeout", async () => {
    const { logger, lines, messages } = listen();
    const { client } = await stage(handlers, { isolation, logger });
    const retry = { attempts: 1 };
    const failed = await client.enqueue(task, "throw", { id: "a", retry });
    expect(await failed.outcome()).toMatchObject({ status: "failed", error: { message: "boom" } });
    const late = await client.enqueue(task, "wait", { id: "b", retry, timeout: 100 });
    expect(await late.outcome()).toMatchObject({ status: "failed", error: { code: "TASK_TIMED_OUT" } });
    expect(messages()).toEqual(["pool made", "rolled back", "rolled back"]);
    expect(lines.filter(({ message }) => message === "rolled back")).toMatchObject([
      { id: "a", error: { message: "boom" } },
      { id: "b", error: { code: "TASK_TIMED_OUT" } },
    ]);
  });

  test("a middleware in the worker knows the class of an error that was thrown there", async () => {
    const never = retryByError({ never: [Flaw] });
    const { client, seen } = await stage(handlers, { isolation, middlewares: [never] });
    const handle = await client.enqueue(task, "throw", { retry: { attempts: 5 } });
    expect(await handle.outcome()).toMatchObject({ status: "failed", attempt: 1, error: { name: "FailTask" } });
    expect((await seen("task.failed")).error.cause).toMatchObject({ message: "boom" });
  });

  test("is overridden by the module of the configuration, and by nothing that cannot be sent there", async () => {
    const overrides = [pool.override({ made: 0, worker: "none" })];
    const config = fixture("overriding");
    const { client } = await stage(handlers, { isolation: { ...isolation, config }, overrides });
    const used = await (await client.enqueue(task, "", { id: "a" })).result();
    expect(used).toMatchObject({ pool: { made: 0, worker: "none" }, transaction: "a over pool 0" });
    const worker = createWorker({ broker: memory(), handlers, isolation, overrides, logger: silentLogger });
    await expect(worker.start()).rejects.toMatchObject({
      code: "ISOLATION_NEEDS_MODULE",
      message: expect.stringContaining("overrides"),
    });
  });
});

describe("at the start of a worker", () => {
  const start = (name: string, isolation: object): Promise<void> =>
    createWorker({ broker: memory(), handlers: [fixture(name)], isolation, logger: silentLogger }).start();

  test.each([{}, { loop: "apart" }])("a circle is told by name, with isolation %o", async (isolation) => {
    await expect(start("circle", isolation)).rejects.toMatchObject({
      code: "PROVIDER_CYCLE",
      problems: [expect.stringMatching(/"hen" needs "egg" needs "hen"/)],
    });
  });

  test.each([{}, { loop: "apart" }])("an eager one that fails fails it, with isolation %o", async (isolation) => {
    await expect(start("broken", isolation)).rejects.toMatchObject({
      code: "PROVIDER_FAILED",
      message: expect.stringMatching(/broken.*no server/),
    });
  });
});
