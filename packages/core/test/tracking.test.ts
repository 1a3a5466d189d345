import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  createClient,
  createWorker,
  defineTask,
  memory,
  memoryState,
  RetryLater,
  type StateStore,
  silentLogger,
} from "../src/index.ts";
import { gate, stage } from "./worker/setup.ts";

/** Resolves once what stands of an id is as wanted. */
async function until(state: StateStore, id: string, name: string | undefined): Promise<void> {
  const end = new AbortController();
  for await (const _ of state.watch(["stages", id], end.signal)) {
    const [entry] = await state.get([["stages", id]]);
    const told = entry === undefined ? undefined : JSON.parse(Buffer.from(entry.value).toString()).name;
    if (told === name) end.abort();
  }
}

async function shared() {
  const parts = { broker: memory(), state: memoryState() };
  const client = await createClient(parts);
  onTestFinished(() => client.close());
  return { ...parts, client };
}

describe("a tracked task", () => {
  const retry = { attempts: 2, backoff: { from: 60_000, to: 60_000 } } as const;

  test("is queued, running and retrying, with times, attempt and worker", async () => {
    const { broker, state, client } = await shared();
    const task = defineTask("tracked", { track: true, retry });
    // A backoff near 0 would end this stage before anybody sees it.
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    onTestFinished(() => void vi.restoreAllMocks());
    const end = gate();
    const handler = task.handler(async () => {
      await end.promise;
      throw new Error("once more");
    });
    const handle = await client.enqueue(task, undefined, { id: "one" });
    const before = Date.now();
    expect(await handle.get()).toEqual({
      status: "pending",
      id: "one",
      stage: { name: "queued", at: expect.any(Number) },
    });
    await stage([handler], { broker, state, name: "worker" });
    await until(state, "one", "running");
    const running = { name: "running", at: expect.any(Number), attempt: 0, worker: "worker" };
    expect(await handle.get()).toEqual({ status: "pending", id: "one", stage: running });
    end.open();
    await until(state, "one", "retrying");
    const status = await client.handle(task, "one").get();
    expect(status).toMatchObject({ status: "pending", stage: { name: "retrying", attempt: 1, worker: "worker" } });
    if (status.status !== "pending") return;
    expect(status.stage?.at).toBeGreaterThanOrEqual(before);
    expect(status.stage?.dueAt).toBe((status.stage?.at ?? 0) + 30_000);
    await handle.cancel();
    expect(await handle.get()).toMatchObject({ status: "cancelled" });
  });

  test("that ends is forgotten, and its outcome is told instead", async () => {
    const { broker, state, client } = await shared();
    const task = defineTask<void, string>("tracked", { track: true });
    const end = gate();
    const handler = task.handler(async () => {
      await end.promise;
      return "done";
    });
    await stage([handler], { broker, state, lease: 300 });
    const handle = await client.enqueue(task, undefined, { id: "one" });
    await until(state, "one", "running");
    end.open();
    await handle.result({ timeout: "10s" });
    expect(await handle.get()).toMatchObject({ status: "succeeded" });
    await until(state, "one", undefined);
  });

  test("is queued again once its worker has stopped under it", async () => {
    const { broker, state, client } = await shared();
    const task = defineTask("tracked", { track: true });
    const handler = task.handler(
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    );
    const { worker } = await stage([handler], { broker, state });
    const handle = await client.enqueue(task, undefined, { id: "one" });
    await until(state, "one", "running");
    await worker.stop({ timeout: 0 });
    expect(await handle.get()).toMatchObject({ status: "pending", stage: { name: "queued" } });
  });

  test("says so while it waits by RetryLater, its attempt unspent", async () => {
    const { broker, state, client } = await shared();
    const task = defineTask("tracked", { track: true });
    const handler = task.handler(() => {
      throw new RetryLater("1m");
    });
    await stage([handler], { broker, state });
    const handle = await client.enqueue(task, undefined, { id: "one" });
    await until(state, "one", "retrying");
    expect(await handle.get()).toMatchObject({ stage: { name: "retrying", attempt: 0 } });
  });

  test("that is short costs no write, and one that is not tracked never does", async () => {
    const { broker, state, client } = await shared();
    const written: string[] = [];
    const { put, delete: remove } = state;
    Object.assign(state, {
      put: (entries: Parameters<typeof put>[0]) => {
        written.push(...entries.map(({ key }) => String(key[0])));
        return put.call(state, entries);
      },
      delete: (entries: Parameters<typeof remove>[0]) => {
        written.push(...entries.map(({ key }) => String(key[0])));
        return remove.call(state, entries);
      },
    });
    const short = defineTask<number, number>("short", { track: true });
    const other = defineTask<number, number>("other");
    const { worker } = await stage([short.handler((n) => n), other.handler((n) => n)], {
      broker,
      state,
      presence: false,
    });
    const handles = [await client.enqueue(short, 1), await client.enqueue(other, 2)];
    for (const handle of handles) await handle.result({ timeout: "10s" });
    expect(await client.handle(other, "unheard-of").get()).toEqual({ status: "unknown", id: "unheard-of" });
    await worker.stop();
    expect(written).toEqual([]);
  });

  test("needs a state store, and is no broadcast", async () => {
    const task = defineTask("tracked", { track: true });
    const config = {
      broker: memory(),
      state: false,
      handlers: [task.handler(() => undefined)],
      logger: silentLogger,
    } as const;
    await expect(createWorker(config).start()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    expect(() => defineTask("all", { broadcast: true, track: true })).toThrow(/track: expected none/);
    expect(() => defineTask("odd", { track: 1 as never })).toThrow(/track: expected true or false, got 1/);
  });
});
