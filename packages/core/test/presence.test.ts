import { hostname } from "node:os";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Client, createClient, defineTask, memory, memoryState, type StateStore } from "../src/index.ts";
import { gate, stage } from "./worker/setup.ts";

const echo = defineTask<number, number>("echo", { queue: "numbers" });
const onEcho = echo.handler((n) => n);

async function pair() {
  const broker = memory();
  const state = memoryState();
  const client = await createClient({ broker, state });
  onTestFinished(() => client.close());
  return { broker, state, client: client as Client };
}

/** Resolves once the live workers are as wanted: looked at whenever one of them speaks. */
async function until(state: StateStore, isSo: () => Promise<boolean>): Promise<void> {
  const end = new AbortController();
  for await (const _ of state.watch(["workers"], end.signal)) if (await isSo()) end.abort();
}

describe("a worker", () => {
  test("says that it lives, what it works on and what runs, and is gone once it has stopped", async () => {
    const { broker, state, client } = await pair();
    const end = gate();
    const slow = defineTask("slow", { queue: "slow" });
    const handlers = [onEcho, slow.handler(() => end.promise)];
    const { worker, seen } = await stage(handlers, { broker, state, presence: "100ms", name: "one" });
    await client.enqueue(slow, undefined, { id: "long" });
    await seen("task.started");
    for (const n of [1, 2, 3]) await (await client.enqueue(echo, n)).result({ timeout: "10s" });
    await until(state, async () => (await client.workers())[0]?.queues[0]?.executed === 3);
    const [info, ...others] = await client.workers();
    expect(others).toEqual([]);
    expect(info).toMatchObject({
      name: "one",
      host: hostname(),
      pid: process.pid,
      state: "running",
      isConnected: true,
      running: 1,
      queues: [
        { queue: "numbers", concurrency: 10, running: 0, buffered: 0, isPaused: false, executed: 3, failed: 0 },
        { queue: "slow", concurrency: 10, running: 1, executed: 0 },
      ],
      tasks: [{ id: "long", task: "slow", queue: "slow", attempt: 0, startedAt: expect.any(Number) }],
    });
    expect(info?.memory).toBeGreaterThan(1_000_000);
    expect(info?.processors).toBeGreaterThan(0);
    expect(info?.startedAt).toBeLessThanOrEqual(info?.at ?? 0);
    const stopping = worker.stop({ timeout: "10s" });
    await until(state, async () => (await client.workers())[0]?.state === "stopping");
    end.open();
    await stopping;
    expect(await client.workers()).toEqual([]);
  });

  test("tells of an event loop that was late, of failures, and of a pause", async () => {
    const { broker, state, client } = await pair();
    const block = defineTask("block");
    const onBlock = block.handler(() => {
      const until = performance.now() + 200;
      while (performance.now() < until) Math.random();
      throw new Error("no luck");
    });
    await stage([onBlock], { broker, state, presence: "100ms" });
    await client.enqueue(block);
    await until(state, async () => ((await client.workers())[0]?.eventLoopDelay ?? 0) >= 100);
    await until(state, async () => (await client.workers())[0]?.queues[0]?.failed === 1);
    await client.queues.pause("default");
    await until(state, async () => (await client.workers())[0]?.queues[0]?.isPaused === true);
  });

  test("shares its name with others, and each shows", async () => {
    const { broker, state, client } = await pair();
    await stage([onEcho], { broker, state, presence: "100ms", name: "twin" });
    await stage([onEcho], { broker, state, presence: "100ms", name: "twin" });
    await until(state, async () => (await client.workers()).length === 2);
  });

  test("that says nothing any more is forgotten", async () => {
    const { broker, state, client } = await pair();
    const frozen: StateStore = { ...bind(state), delete: async () => [false] };
    const { worker } = await stage([onEcho], { broker, state: frozen, presence: "100ms" });
    await until(state, async () => (await client.workers()).length === 1);
    await worker.stop();
    const [entry] = (await state.list(["workers"], { limit: 1 })).entries;
    expect((entry?.expiresAt ?? Number.POSITIVE_INFINITY) - Date.now()).toBeLessThanOrEqual(300);
    await expect.poll(() => client.workers(), { interval: 20 }).toEqual([]);
  });

  test("says nothing with `presence: false`, and refuses what is too short", async () => {
    const { broker, state, client } = await pair();
    const { worker } = await stage([onEcho], { broker, state, presence: false });
    await (await client.enqueue(echo, 1)).result({ timeout: "10s" });
    await worker.stop();
    expect((await state.list(["workers"], { limit: 1 })).entries).toEqual([]);
    const { worker: hasty } = await stage([onEcho], { broker, state, presence: "10ms", start: false });
    await expect(hasty.start()).rejects.toMatchObject({
      problems: ["presence: expected false or at least 100 ms, got 10 ms."],
    });
  });
});

test("a client without a state store cannot look for workers", async () => {
  const client = await createClient({ broker: memory(), state: false });
  onTestFinished(() => client.close());
  await expect((client as unknown as Client).workers()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
});

/** A store whose methods can be replaced one by one. */
function bind(state: StateStore): StateStore {
  return new Proxy(state, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
    ownKeys: (target) => [...Reflect.ownKeys(target), ...Reflect.ownKeys(Object.getPrototypeOf(target) as object)],
    getOwnPropertyDescriptor: (target, key) => ({
      configurable: true,
      enumerable: true,
      value: Reflect.get(target, key) as unknown,
    }),
  });
}
