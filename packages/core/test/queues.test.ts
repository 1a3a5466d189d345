import { describe, expect, onTestFinished, test } from "vitest";
import { type Client, createClient, defineTask, memory, memoryState } from "../src/index.ts";
import { gate, stage } from "./worker/setup.ts";

const echo = defineTask<number, number>("echo");
const onEcho = echo.handler((n) => n);

async function pair() {
  const broker = memory();
  const state = memoryState();
  const client = await createClient({ broker, state });
  onTestFinished(() => client.close());
  return { broker, state, client: client as Client };
}

describe("a paused queue", () => {
  test("is left alone by every worker, also by one that starts later, until it is resumed", async () => {
    const { broker, state, client } = await pair();
    const one = await stage([onEcho], { broker, state });
    expect(await client.queues.pause("default")).toBe(true);
    expect(await client.queues.pause("default")).toBe(false);
    await one.seen("queue.paused");
    const other = await stage([onEcho], { broker, state });
    await other.seen("queue.paused");
    const handles = await Promise.all([1, 2, 3].map((n) => client.enqueue(echo, n)));
    await client.enqueue(echo, 4, { queue: "other" });
    expect(await client.queues.paused()).toEqual([{ queue: "default", at: expect.any(Number) }]);
    expect((await client.queues.depth("default")).ready).toBe(3);
    expect(await client.queues.resume("default")).toBe(true);
    expect(await client.queues.resume("default")).toBe(false);
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: "10s" })))).toEqual([1, 2, 3]);
    await one.seen("queue.resumed");
    expect([...one.events, ...other.events].filter(({ type }) => type === "task.started")).toHaveLength(3);
  });

  test("lets what runs end, and what has not started go back unspent", async () => {
    const { broker, state, client } = await pair();
    const end = gate();
    const task = defineTask<number, number>("slow");
    const handlers = [
      task.handler(async (n, { deliveryCount }) => {
        if (n === 0) await end.promise;
        return deliveryCount ?? 0;
      }),
    ];
    const { seen } = await stage(handlers, { broker, state, queues: { default: { concurrency: 1 } } });
    const running = await client.enqueue(task, 0);
    await seen("task.started");
    await client.queues.pause("default");
    await seen("queue.paused");
    const waiting = await client.enqueue(task, 1);
    end.open();
    await running.result({ timeout: "10s" });
    await seen("task.succeeded");
    expect(await client.queues.depth("default")).toMatchObject({ ready: 1, running: 0 });
    await client.queues.resume("default");
    expect(await waiting.result({ timeout: "10s" })).toBe(1);
  });

  test("needs a state store", async () => {
    const client = await createClient({ broker: memory(), state: false });
    onTestFinished(() => client.close());
    await expect(client.queues.pause("default")).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });
});

describe("a queue that is moved", () => {
  test("is in another, with ids, order and delays, and can be worked on there", async () => {
    const { broker, state, client } = await pair();
    await client.enqueueMany(
      echo,
      Array.from({ length: 450 }, (_, n) => n),
      { id: (n) => `task-${n}` },
    );
    await client.enqueue(echo, 1, { id: "later", delay: "1h" });
    expect(await client.queues.move("default", "other", { limit: 10 })).toEqual({ moved: 10, left: [] });
    expect(await client.queues.move("default", "other")).toEqual({ moved: 440, left: [] });
    expect(await client.queues.move("default", "other", { section: "delayed" })).toEqual({ moved: 1, left: [] });
    expect(await client.queues.depth("default")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
    expect(await client.queues.depth("other")).toMatchObject({ ready: 450, delayed: 1 });
    const later = await client.queues.read("other", "delayed", "later");
    expect(later?.dueAt).toBeGreaterThan(Date.now() + 3_500_000);
    await stage([onEcho], { broker, state, queues: { other: {} } });
    expect(await client.handle(echo, "task-449", { queue: "other" }).result({ timeout: "10s" })).toBe(449);
  });

  test("keeps what another queue does not take", async () => {
    const broker = memory({ maxMessages: 2 });
    const client = await createClient({ broker });
    onTestFinished(() => client.close());
    await client.enqueueMany(echo, [1], { queue: "to" });
    await client.enqueueMany(echo, [1, 2], { queue: "from" });
    const report = await client.queues.move("from", "to");
    expect(report).toEqual({ moved: 1, left: [{ key: expect.any(String), reason: expect.any(String) }] });
    expect((await client.queues.depth("from")).ready).toBe(1);
    await expect(client.queues.move("from", "from")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

test("dead letters are replayed and dropped by task, code and age", async () => {
  const { broker, state, client } = await pair();
  const failing = (name: string) =>
    defineTask<void>(name).handler(() => {
      throw new Error("as told");
    });
  const [one, two] = [failing("one"), failing("two")];
  const { seen } = await stage([one, two], { broker, state });
  await client.enqueue(defineTask("one"), undefined, { id: "a" });
  await client.enqueue(defineTask("two"), undefined, { id: "b" });
  await client.enqueue(defineTask("none"), undefined, { id: "c" });
  await seen("task.failed", ({ id }) => id === "a");
  await seen("task.failed", ({ id }) => id === "b");
  await seen("task.rejected");
  await client.queues.pause("default");
  await seen("queue.paused");
  const { replay, drop } = client.deadLetters;
  expect((await replay("default", { olderThan: "1h" })).replayed).toEqual([]);
  expect((await replay("default", { task: "one", code: "TASK_UNKNOWN" })).replayed).toEqual([]);
  expect((await replay("default", { task: "one", code: "TASK_FAILED", olderThan: 0 })).replayed).toHaveLength(1);
  expect((await client.queues.read("default", "ready", "a"))?.message).toMatchObject({ run: 1, attempt: 0 });
  expect(await drop("default", { code: "TASK_UNKNOWN" })).toBe(1);
  expect(await drop("default", { code: "TASK_UNKNOWN" })).toBe(0);
  expect(await client.queues.depth("default")).toMatchObject({ ready: 1, dead: 1 });
});
