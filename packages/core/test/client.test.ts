import { describe, expect, test } from "vitest";
import {
  type Broker,
  type BrokerAdmin,
  type BrokerCapabilities,
  type ClientEvent,
  createClient,
  type Delivery,
  type EnqueueOptions,
  memory,
} from "../src/index.ts";
import { clientOf, echo, echoes } from "./client/setup.ts";
import { gate, stage } from "./worker/setup.ts";

describe("options of an enqueue", () => {
  test("an id that the broker knows is enqueued once", async () => {
    const client = await clientOf({ broker: memory() });
    const events: ClientEvent[] = [];
    client.on((event) => events.push(event));
    await client.enqueue(echo, 1, { id: "order-17" });
    const again = await client.enqueue(echo, 2, { id: "order-17" });
    expect(again.id).toBe("order-17");
    expect(events.map(({ type }) => type)).toEqual(["task.enqueued", "task.duplicate"]);
    expect(await client.queues.depth("default")).toMatchObject({ ready: 1 });
  });

  test("an id that has run is enqueued once too, and its result is that of the first", async () => {
    const { client } = await stage([echoes]);
    const first = await client.enqueue(echo, 1, { id: "order-17" });
    expect(await first.result()).toBe(1);
    const again = await client.enqueue(echo, 2, { id: "order-17" });
    expect(await again.result()).toBe(1);
  });

  test.each<readonly [string, EnqueueOptions, string, string]>([
    ["delay and at together", { delay: "1s", at: Date.now() }, "OPTION_INVALID", "`delay` or `at`"],
    ["a date that is none", { at: new Date(Number.NaN) }, "OPTION_INVALID", "at: expected a valid date"],
    ["a delay that is none", { delay: "soon" as "1s" }, "DURATION_INVALID", "delay"],
    ["a negative delay", { delay: -1 }, "DURATION_INVALID", "delay"],
    ["an expiry that is none", { expires: "never" as "1s" }, "DURATION_INVALID", "expires"],
    ["a timeout of nothing", { timeout: 0 }, "OPTION_INVALID", "timeout"],
    ["a time to live that is none", { resultTtl: Number.NaN }, "DURATION_INVALID", "resultTtl"],
    ["no attempts", { retry: { attempts: 0 } }, "OPTION_INVALID", "retry.attempts"],
    ["a backoff that shrinks", { retry: { backoff: { from: "2s", to: "1s" } } }, "OPTION_INVALID", "retry.backoff"],
    ["a priority out of range", { priority: 1.5 }, "OPTION_INVALID", "priority"],
    ["an unknown acknowledge", { acknowledge: "never" as "stored" }, "OPTION_INVALID", "acknowledge"],
    ["a queue of another grammar", { queue: "a queue" }, "NAME_INVALID", "queue name"],
    ["an id of another grammar", { id: "" }, "NAME_INVALID", "task id"],
    ["a header of another grammar", { headers: { "a header": "x" } }, "NAME_INVALID", "header name"],
    ["a header __proto__", { headers: JSON.parse('{"__proto__":"x"}') }, "NAME_INVALID", "__proto__"],
    ["a header that is no string", { headers: { n: 1 as unknown as string } }, "OPTION_INVALID", "Header n"],
    ["headers that are too large", { headers: { big: "x".repeat(8_192) } }, "HEADERS_TOO_LARGE", "8192 bytes"],
  ])("%s is refused, and nothing is enqueued", async (...[, options, code, says]) => {
    const client = await clientOf({ broker: memory() });
    await expect(client.enqueue(echo, 1, options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says),
    });
    expect(await client.queues.queues()).toEqual([]);
  });

  test("delay, at, expires, priority, queue and headers travel with the message", async () => {
    const client = await clientOf({ broker: memory() });
    const before = Date.now();
    await client.enqueue(echo, 1, { delay: "1h", expires: "1m", priority: 9, headers: { tenant: "blue" }, queue: "q" });
    await client.enqueue(echo, 2, { at: before + 7_200_000, queue: "q" });
    await client.enqueue(echo, 3, { at: new Date(0), queue: "q" });
    const after = Date.now();
    const { entries } = await client.queues.list("q", { section: "delayed", limit: 10 });
    const [first, second] = entries.map(({ message }) => message);
    expect(first).toMatchObject({ priority: 9, headers: { tenant: "blue" } });
    expect(first?.notBefore).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(first?.notBefore).toBeLessThanOrEqual(after + 3_600_000);
    expect((first?.expiresAt ?? 0) - (first?.notBefore ?? 0)).toBe(60_000);
    expect(second?.notBefore).toBe(before + 7_200_000);
    expect(await client.queues.depth("q")).toMatchObject({ ready: 1, delayed: 2 });
  });

  test.each<readonly [keyof BrokerCapabilities, EnqueueOptions]>([
    ["delay", { delay: "1s" }],
    ["delay", { at: Date.now() + 60_000 }],
    ["priority", { priority: 9 }],
    ["redelivery", { retry: { attempts: 2 } }],
  ])("what the broker refuses (%s) is refused before anything is enqueued", async (capability, options) => {
    const real = memory();
    const broker: Broker = { ...real, capabilities: { ...real.capabilities, [capability]: "refused" } };
    const client = await clientOf({ broker });
    await expect(client.enqueue(echo, 1, options)).rejects.toMatchObject({
      code: "UNSUPPORTED_CAPABILITY",
      capability,
    });
    expect(await client.queues.queues()).toEqual([]);
  });
});

describe("handles", () => {
  /** An id of version 7 made in 2023: whatever it named has ended long ago. */
  const longAgo = "01890000-0000-7000-8000-000000000000";

  test("get tells waiting, delayed and running tasks as pending, and ended ones by their outcome", async () => {
    const started = gate();
    const go = gate();
    const { client } = await stage([
      echo.handler(async () => {
        started.open();
        await go.promise;
        return "done";
      }),
    ]);
    const later = await client.enqueue(echo, 1, { delay: "1h" });
    const now = await client.enqueue(echo, 2);
    await started.promise;
    for (const { id } of [later, now]) {
      expect(await client.handle(echo, id).get()).toEqual({ status: "pending", id });
    }
    go.open();
    expect(await now.outcome()).toMatchObject({ status: "succeeded", result: "done" });
    expect(await now.get()).toMatchObject({ status: "succeeded", result: "done", id: now.id });
  });

  test("a task that comes back to its queue while it is looked for is pending", async () => {
    const real = memory();
    const hidden = { comeBack: async (): Promise<unknown> => undefined };
    const read: BrokerAdmin["read"] = async (queue, section, key) => {
      if (section === "delayed") await hidden.comeBack();
      return real.admin?.read(queue, section, key);
    };
    const broker: Broker = { ...real, admin: { ...(real.admin as BrokerAdmin), read } };
    const client = await clientOf({ broker });
    const { id } = await client.enqueue(echo, 1);
    const consumer = await broker.consume("default", { window: 1, lease: 60_000 });
    const [delivery] = await consumer.take(1, new AbortController().signal);
    hidden.comeBack = () => consumer.settle([{ kind: "release", delivery: delivery as Delivery }]);
    expect(await client.handle(echo, id).get()).toEqual({ status: "pending", id });
  });

  test("an id of which there is no trace is unknown, or expired when it is old enough", async () => {
    const client = await clientOf({ broker: memory() });
    expect(await client.handle(echo, "never-there").get()).toEqual({ status: "unknown", id: "never-there" });
    expect(await client.handle(echo, longAgo).get()).toEqual({ status: "expired", id: longAgo });
  });

  test("a wait for what cannot come ends at once", async () => {
    const client = await clientOf({ broker: memory() });
    await expect(client.handle(echo, "never-there").result()).rejects.toMatchObject({
      code: "RESULT_UNKNOWN",
      id: "never-there",
    });
    await expect(client.handle(echo, longAgo).outcome()).rejects.toMatchObject({ code: "RESULT_EXPIRED", id: longAgo });
  });

  test("another client re-attaches by id", async () => {
    const broker = memory();
    const go = gate();
    const { client } = await stage([echo.handler(() => go.promise)], { broker });
    const { id } = await client.enqueue(echo, 1);
    const other = await clientOf({ broker });
    const result = other.handle(echo, id).result();
    go.open();
    expect(await result).toBeUndefined();
  });

  test("a wait ends after its timeout; the task goes on", async () => {
    const go = gate<string>();
    const { client } = await stage([echo.handler(() => go.promise)]);
    const handle = await client.enqueue(echo, 1);
    await expect(handle.result({ timeout: 20 })).rejects.toMatchObject({
      name: "ResultTimeoutError",
      code: "RESULT_TIMEOUT",
      id: handle.id,
      retryable: true,
    });
    go.open("done");
    expect(await handle.result()).toBe("done");
  });

  test("a wait ends with the reason of its signal, aborted before or meanwhile", async () => {
    const client = await clientOf({ broker: memory() });
    const handle = await client.enqueue(echo, 1);
    const before = new Error("aborted before");
    await expect(handle.result({ signal: AbortSignal.abort(before) })).rejects.toBe(before);
    const stop = new AbortController();
    const waiting = handle.outcome({ signal: stop.signal });
    stop.abort(new Error("aborted meanwhile"));
    await expect(waiting).rejects.toThrow("aborted meanwhile");
  });
});

describe("configuration", () => {
  test("results: false gives handles that have an id and nothing else", async () => {
    const client = await clientOf({ broker: memory(), results: false });
    const handle = await client.enqueue(echo, 1, { id: "bare" });
    expect(handle).toEqual({ id: "bare", task: "echo" });
    expect(client.handle(echo, "other")).toEqual({ id: "other", task: "echo" });
  });

  test("without any results the start fails, and says what to do", async () => {
    const { companions: _, ...rest } = memory();
    await expect(createClient({ broker: rest })).rejects.toMatchObject({
      code: "RESULTS_UNAVAILABLE",
      message: expect.stringContaining("false"),
    });
  });

  test("a closed client refuses; it may be closed twice, and waits end", async () => {
    const client = await createClient({ broker: memory() });
    const handle = await client.enqueue(echo, 1);
    const waiting = handle.result();
    waiting.catch(() => undefined);
    await client.close();
    await client.close();
    await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await expect(client.enqueue(echo, 1)).rejects.toMatchObject({ code: "CLOSED" });
    expect(await client.enqueueMany(echo, [1])).toMatchObject([{ status: "refused", error: { code: "CLOSED" } }]);
  });

  test("close waits for the enqueues under way", async () => {
    const broker = memory();
    await broker.connect();
    const client = await createClient({ broker });
    const enqueuing = client.enqueue(echo, 1, { id: "under-way" });
    await client.close();
    expect((await enqueuing).id).toBe("under-way");
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1 });
    await broker.close();
  });
});
