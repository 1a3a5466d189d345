import { describe, expect, test } from "vitest";
import {
  createWorker,
  defineTask,
  type IdempotencyOptions,
  idempotency,
  memory,
  memoryState,
  silentLogger,
} from "../../src/index.ts";
import { gate, stage } from "../worker/setup.ts";

const pay = defineTask<string, string>("pay", { retry: { attempts: 2, backoff: { from: 0, to: 0 } } });
const key = { headers: { "idempotency-key": "order-1" } };

/** A worker whose handler counts its calls and does what `act` says. */
async function counted(act: (call: number, input: string) => unknown, options: IdempotencyOptions = {}) {
  let calls = 0;
  const handler = pay.handler(async (input) => {
    calls += 1;
    return (await act(calls, input)) as string;
  });
  const scene = await stage([handler], { middlewares: [idempotency(options)] });
  return { ...scene, calls: () => calls };
}

describe("idempotency", () => {
  test("the second task with a key gets the result of the first", async () => {
    const { client, calls } = await counted((call, input) => `${input} ${call}`);
    expect(await (await client.enqueue(pay, "first", key)).result()).toBe("first 1");
    expect(await (await client.enqueue(pay, "second", key)).result()).toBe("first 1");
    expect(calls()).toBe(1);
  });

  test("another key, another task or no key is another work", async () => {
    const { client, calls } = await counted((call) => String(call));
    await (await client.enqueue(pay, "", key)).result();
    await (await client.enqueue(pay, "", { headers: { "idempotency-key": "order-2" } })).result();
    await (await client.enqueue(pay, "")).result();
    expect(calls()).toBe(3);
  });

  test("one that comes while the first runs comes again later, and gets its result then", async () => {
    const { promise, open } = gate<string>();
    const { client, calls, seen } = await counted(() => promise);
    const first = await client.enqueue(pay, "", { ...key, id: "first" });
    await seen("task.started");
    const second = await client.enqueue(pay, "", { ...key, id: "second" });
    const retrying = await seen("task.retrying", ({ id }) => id === "second");
    expect(retrying).toMatchObject({ attempt: 0, error: undefined });
    open("paid");
    expect(await first.result()).toBe("paid");
    expect(await second.result()).toBe("paid");
    expect(calls()).toBe(1);
  });

  test("a failure gives the key back, so that the retry runs", async () => {
    const { client, calls } = await counted((call) => {
      if (call === 1) throw new Error("declined");
      return "paid";
    });
    expect(await (await client.enqueue(pay, "", key)).result()).toBe("paid");
    expect(calls()).toBe(2);
  });

  test("a claim is renewed while its handler runs", async () => {
    const { promise, open } = gate<string>();
    const { client, calls, seen, events } = await counted(() => promise, { claim: "1s" });
    const first = await client.enqueue(pay, "", { ...key, id: "first" });
    await seen("task.started");
    const second = await client.enqueue(pay, "", { ...key, id: "second" });
    // Each look of the second comes when the claim that it saw would have ended: the third is later than a whole one.
    const looks = (): readonly unknown[] => events.filter(({ type }) => type === "task.retrying");
    await seen("task.retrying", () => looks().length >= 3);
    open("paid");
    expect(await Promise.all([first.result(), second.result()])).toEqual(["paid", "paid"]);
    expect(calls()).toBe(1);
  });

  test("a key may be made of anything, such as the id", async () => {
    const { client, calls } = await counted((call) => String(call), { key: ({ input }) => String(input) });
    await (await client.enqueue(pay, "a")).result();
    await (await client.enqueue(pay, "a")).result();
    await (await client.enqueue(pay, "b")).result();
    expect(calls()).toBe(2);
  });

  test("a result that is too large to be kept is given once; later ones are cancelled and say why", async () => {
    const { client, calls } = await counted(() => "x".repeat(70_000));
    expect(await (await client.enqueue(pay, "", key)).result()).toHaveLength(70_000);
    expect(await (await client.enqueue(pay, "", key)).outcome()).toMatchObject({
      status: "cancelled",
      reason: expect.stringContaining("too large to be kept"),
    });
    expect(calls()).toBe(1);
  });

  test("results of rich types come back as they were", async () => {
    const dated = defineTask<void, Map<string, Date>>("dated");
    const value = new Map([["day", new Date(0)]]);
    const { client } = await stage([dated.handler(() => value)], { middlewares: [idempotency()] });
    await (await client.enqueue(dated, undefined, key)).result();
    expect(await (await client.enqueue(dated, undefined, key)).result()).toEqual(value);
  });

  test("a state store that is out of reach is a failure of the attempt, and nothing runs unguarded", async () => {
    const state = memoryState();
    let outages = 1;
    const failing = {
      ...state,
      put: (...parts: Parameters<typeof state.put>) => {
        if (parts[0].some((entry) => entry.key[0] !== "idempotency")) return state.put(...parts);
        outages -= 1;
        return outages >= 0 ? Promise.reject(new Error("out of reach")) : state.put(...parts);
      },
    };
    let calls = 0;
    const handler = pay.handler(() => {
      calls += 1;
      return "paid";
    });
    const { client } = await stage([handler], { state: failing, middlewares: [idempotency()] });
    expect(await (await client.enqueue(pay, "", key)).outcome()).toMatchObject({ result: "paid", attempt: 1 });
    expect(calls).toBe(1);
  });

  test("without a state store a worker does not start", async () => {
    const worker = createWorker({
      broker: memory(),
      state: false,
      results: false,
      handlers: [pay.handler(() => "")],
      middlewares: [idempotency()],
      logger: silentLogger,
    });
    await expect(worker.start()).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });
});
