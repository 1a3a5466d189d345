import { describe, expect, onTestFinished, test } from "vitest";
import {
  type Broker,
  type Client,
  createClient,
  defineTask,
  memory,
  memoryState,
  type StateStore,
} from "../src/index.ts";
import { decodeUniqueRecord, uniqueKey, uniqueSegment } from "../src/unique.ts";
import { gate, stage } from "./worker/setup.ts";

async function clientOf(broker: Broker, state: StateStore | false): Promise<Client> {
  const client = await createClient({ broker, state });
  onTestFinished(() => client.close());
  return client as Client;
}

async function openState(): Promise<StateStore> {
  const state = memoryState();
  await state.connect();
  onTestFinished(() => state.close());
  return state;
}

const keyOf = (task: string, key: string) => uniqueKey(task, uniqueSegment(key, new Uint8Array()));

describe("a unique task", () => {
  test("is there once until it has finished, and the second enqueue gives the handle of the first", async () => {
    const task = defineTask<{ user: string; n: number }, number>("unique", { unique: { key: ({ user }) => user } });
    const end = gate();
    const { client } = await stage([
      task.handler(async ({ n }) => {
        await end.promise;
        return n;
      }),
    ]);
    const first = await client.enqueue(task, { user: "ada", n: 1 });
    const second = await client.enqueue(task, { user: "ada", n: 2 });
    const other = await client.enqueue(task, { user: "bob", n: 3 });
    expect(second.id).toBe(first.id);
    expect(other.id).not.toBe(first.id);
    end.open();
    expect(await second.result()).toBe(1);
    // At once: nobody needs to wait until the worker has given the key back.
    const third = await client.enqueue(task, { user: "ada", n: 4 });
    expect(third.id).not.toBe(first.id);
    expect(await third.result()).toBe(4);
  });

  test("until started: its key is free once the handler begins", async () => {
    const task = defineTask<string>("unique", { unique: { key: (user) => user, until: "started" } });
    const broker = memory();
    const state = await openState();
    const client = await clientOf(broker, state);
    const first = await client.enqueue(task, "ada");
    expect((await client.enqueue(task, "ada")).id).toBe(first.id);
    const end = gate();
    await stage([task.handler(() => end.promise)], { broker, state });
    await expect.poll(() => state.get([keyOf("unique", "ada")])).toEqual([undefined]);
    const second = await client.enqueue(task, "ada");
    expect(second.id).not.toBe(first.id);
    end.open();
    await Promise.all([first.result(), second.result()]);
  });

  test("stays unique over its retries, and no longer than its last attempt", async () => {
    const task = defineTask<string>("unique", {
      unique: { key: (user) => user },
      retry: { attempts: 2, backoff: { from: 1, to: 1 } },
    });
    const broker = memory();
    const state = await openState();
    const { client, seen } = await stage(
      [
        task.handler(() => {
          throw new Error("as always");
        }),
      ],
      { broker, state },
    );
    const first = await client.enqueue(task, "ada");
    await seen("task.retrying");
    await expect(first.result()).rejects.toMatchObject({ code: "TASK_FAILED" });
    await seen("task.failed");
    await expect.poll(() => state.get([keyOf("unique", "ada")])).toEqual([undefined]);
  });

  test("for a window: its key is taken for that time, whatever becomes of it", async () => {
    const task = defineTask<string>("unique", { unique: { until: "window", ttl: 300 } });
    const { client } = await stage([task.handler(() => undefined)]);
    const first = await client.enqueue(task, "same");
    await first.result();
    expect((await client.enqueue(task, "same")).id).toBe(first.id);
    expect((await client.enqueue(task, "other")).id).not.toBe(first.id);
    await expect.poll(async () => (await client.enqueue(task, "same")).id).not.toBe(first.id);
  });

  test("is refused with the id of the first where the task says so", async () => {
    const task = defineTask<string>("unique", { unique: { onConflict: "throw" } });
    const client = await clientOf(memory(), memoryState());
    const { id } = await client.enqueue(task, "same");
    await expect(client.enqueue(task, "same")).rejects.toMatchObject({ code: "TASK_NOT_UNIQUE", id });
    const [again, other] = await client.enqueueMany(task, ["same", "other"]);
    expect(again).toMatchObject({ status: "refused", error: { code: "TASK_NOT_UNIQUE", id } });
    expect(other?.status).toBe("accepted");
  });

  test("is one of many that are enqueued together, by any number of clients", async () => {
    const task = defineTask<number>("unique", { unique: {} });
    const broker = memory();
    const state = memoryState();
    const clients = await Promise.all([1, 2, 3].map(() => clientOf(broker, state)));
    const inputs = Array.from({ length: 60 }, (_, n) => n % 5);
    const results = (await Promise.all(clients.map((client) => client.enqueueMany(task, inputs)))).flat();
    expect(results.filter(({ status }) => status === "accepted")).toHaveLength(5);
    const ids = results.map((result) => (result.status === "refused" ? "" : result.handle.id));
    expect(new Set(ids).size).toBe(5);
    expect((await clients[0]?.queues.depth("default"))?.ready).toBe(5);
  });

  test("that is enqueued again under its own id is the same task", async () => {
    const task = defineTask<string>("unique", { unique: { onConflict: "throw" } });
    const client = await clientOf(memory(), memoryState());
    const first = await client.enqueue(task, "same", { id: "mine" });
    expect((await client.enqueue(task, "same", { id: "mine" })).id).toBe(first.id);
    expect((await client.queues.depth("default")).ready).toBe(1);
  });

  test("gives its key back when the broker refuses it, and keeps it for no longer than a publish until that is known", async () => {
    const task = defineTask<string>("unique", { unique: { key: (user) => user } });
    const state = await openState();
    const full = await clientOf(memory({ maxMessages: 1 }), state);
    const first = await full.enqueue(task, "ada");
    await expect(full.enqueue(task, "bob")).rejects.toMatchObject({ code: "BROKER_FULL" });
    const [ada, bob] = await state.get([keyOf("unique", "ada"), keyOf("unique", "bob")]);
    expect(ada === undefined ? undefined : decodeUniqueRecord(ada.value).id).toBe(first.id);
    expect(bob).toBeUndefined();
  });

  test("is refused without a state store, at enqueue and at start", async () => {
    const task = defineTask<string>("unique", { unique: {} });
    const client = await clientOf(memory(), false);
    await expect(client.enqueue(task, "same")).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    await expect(stage([task.handler(() => undefined)], { state: false })).rejects.toMatchObject({
      code: "STATE_REQUIRED",
    });
  });

  test.each([[{ until: "ended" }], [{ until: "window" }], [{ onConflict: "drop" }], [{ ttl: 0 }], [{ key: "user" }]])(
    "is refused at its definition with %j",
    (unique) => {
      expect(() => defineTask("unique", { unique } as never)).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID" }),
      );
    },
  );
});
