import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import {
  type Client,
  defineTask,
  type Handle,
  type Middleware,
  memory,
  memoryState,
  provide,
  type StateStore,
  type Task,
} from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

async function enqueueAll<TInput, TResult>(
  client: Client,
  task: Task<TInput, TInput, TResult, TResult>,
  inputs: readonly TInput[],
): Promise<readonly Handle<TResult>[]> {
  const results = await client.enqueueMany(task, inputs);
  return results.map((result) => {
    if (result.status === "refused") throw result.error;
    return result.handle as Handle<TResult>;
  });
}

async function runAll(client: Client, task: Task<number, number>, count: number): Promise<void> {
  const inputs = Array.from({ length: count }, (_, n) => n);
  const handles = await enqueueAll(client, task, inputs);
  await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
}

/** The most starts within any span of `per` milliseconds. */
function densest(starts: readonly number[], per: number): number {
  const sorted = starts.toSorted((one, other) => one - other);
  let most = 0;
  for (let first = 0, last = 0; last < sorted.length; last += 1) {
    while ((sorted[last] as number) - (sorted[first] as number) >= per) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

describe("a limit of concurrency", () => {
  test("lets so many of a key run at once, and all of them run with their attempt unspent", async () => {
    const task = defineTask<{ user: string; n: number }, number>("limited", {
      limit: { key: ({ user }) => user, concurrency: 2 },
    });
    const now = new Map<string, number>();
    const most = new Map<string, number>();
    const attempts = new Set<number>();
    const count = (user: string, by: number): void => {
      now.set(user, (now.get(user) ?? 0) + by);
      most.set(user, Math.max(most.get(user) ?? 0, now.get(user) ?? 0));
    };
    const { client } = await stage([
      task.handler(async ({ user, n }, { attempt }) => {
        attempts.add(attempt);
        count(user, 1);
        await wait(2);
        count(user, -1);
        return n;
      }),
    ]);
    const inputs = Array.from({ length: 400 }, (_, n) => ({ user: `u${n % 4}`, n }));
    const handles = await enqueueAll(client, task, inputs);
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })))).toEqual(
      inputs.map(({ n }) => n),
    );
    expect([...most]).toEqual(["u0", "u1", "u2", "u3"].map((user) => [user, 2]));
    expect(attempts).toEqual(new Set([0]));
  });

  test("holds over all workers, and what waits holds no slot", async () => {
    const broker = memory();
    const limited = defineTask<number>("limited", { limit: { concurrency: 1 } });
    const free = defineTask<void, string>("free");
    const end = gate();
    const started: number[] = [];
    const handlers = [
      limited.handler(async (n) => {
        started.push(n);
        if (started.length === 1) await end.promise;
      }),
      free.handler(() => "ran"),
    ];
    const queues = { default: { concurrency: 2 } };
    const one = await stage(handlers, { broker, queues });
    await stage(handlers, { broker, queues });
    const handles = await enqueueAll(
      one.client,
      limited,
      Array.from({ length: 220 }, (_, n) => n),
    );
    // At once: what is sent away comes back when the limit is likely to have room, later the longer this takes.
    const others = Array.from({ length: 20 }, async () => (await one.client.enqueue(free)).result({ timeout: "20s" }));
    expect(new Set(await Promise.all(others))).toEqual(new Set(["ran"]));
    expect(started).toHaveLength(1);
    end.open();
    await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
    expect(started.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 220 }, (_, n) => n));
  });

  test("of one key leaves the others alone, however much of it waits", async () => {
    const task = defineTask<string, string>("limited", { limit: { key: (user) => user, concurrency: 1 } });
    const end = gate();
    const { client } = await stage([
      task.handler(async (user) => {
        if (user === "busy") await end.promise;
        return user;
      }),
    ]);
    const busy = await enqueueAll(
      client,
      task,
      Array.from({ length: 2_000 }, () => "busy"),
    );
    expect(await (await client.enqueue(task, "idle")).result({ timeout: "10s" })).toBe("idle");
    end.open();
    await busy[0]?.result({ timeout: "10s" });
  });

  test("gives the places of what ended back, also after failures, and hands waiting tasks back at a stop", async () => {
    const broker = memory();
    const state = memoryState();
    await state.connect();
    const task = defineTask<string>("limited", { limit: { concurrency: 1 }, retry: { attempts: 1 } });
    const end = gate();
    const handlers = [
      task.handler(async (what) => {
        if (what === "fail") throw new Error("as told");
        if (what === "wait") await end.promise;
      }),
    ];
    const one = await stage(handlers, { broker, state });
    await expect((await one.client.enqueue(task, "fail")).result()).rejects.toMatchObject({ code: "TASK_FAILED" });
    const waiting = await one.client.enqueue(task, "wait");
    await one.seen("task.started", ({ id }) => id === waiting.id);
    const later = await one.client.enqueue(task, "later");
    await one.seen("task.received", ({ id }) => id === later.id);
    const stopped = one.worker.stop();
    await one.seen("task.released", ({ id }) => id === later.id);
    end.open();
    await stopped;
    expect(await state.members(["limits", "limited", "all", "places"])).toEqual([]);
    await stage(handlers, { broker, state });
    await later.result({ timeout: "10s" });
  });
});

describe("a limit of rate", () => {
  test.each([5, 1_001])("of %i lets no more start in any span of time", async (limit) => {
    const starts: number[] = [];
    const per = 200;
    const task = defineTask<number>("paced", { limit: { rate: { limit, per } } });
    const { client } = await stage([task.handler(() => void starts.push(performance.now()))]);
    await runAll(client, task, limit * 2);
    expect(starts).toHaveLength(limit * 2);
    expect(densest(starts, per)).toBeLessThanOrEqual(limit);
  });

  test("counts a task when its handler begins, whatever a middleware does before", async () => {
    const starts: number[] = [];
    const per = 200;
    const task = defineTask<number>("behind", { limit: { rate: { limit: 5, per } } });
    // The first five are late, those after them are not.
    const execute: Middleware["execute"] = async ({ input }, next) => {
      if ((input as number) < 5) await wait(per / 2);
      return next();
    };
    const handler = task.handler(() => void starts.push(performance.now()));
    const { client } = await stage([handler], { middlewares: [{ name: "late", execute }] });
    await runAll(client, task, 10);
    expect(densest(starts, per)).toBeLessThanOrEqual(5);
  });

  test("keeps a start for a task that waits for its providers for longer than the rate's span", async () => {
    const starts: number[] = [];
    const per = 100;
    const slow = provide("slow", () => wait(4 * per, "made"), { scope: "worker" });
    const task = defineTask<number>("provided", { limit: { rate: { limit: 5, per } } });
    const handler = task.handler({ slow }, () => void starts.push(performance.now()));
    const { client } = await stage([handler]);
    await runAll(client, task, 15);
    expect(densest(starts, per)).toBeLessThanOrEqual(5);
  });

  test("a start that nobody is there for any more, once the store answers, is not kept", async () => {
    const state = memoryState();
    await state.connect();
    const [asked, answer, granted] = [gate(), gate(), gate()];
    let hasRefused = false;
    const slow: StateStore = {
      ...state,
      add: async (set, ...rest) => {
        const isRate = set.at(-1) === "rate";
        // Whoever was refused waits in the worker by the next question.
        if (isRate && hasRefused) {
          asked.open();
          await answer.promise;
        }
        const answered = await state.add(set, ...rest);
        if (isRate && hasRefused && answered.added.length > 0) granted.open();
        hasRefused ||= isRate && answered.added.length === 0;
        return answered;
      },
    };
    const task = defineTask<number>("left", { limit: { rate: { limit: 1, per: 100 } } });
    const { client } = await stage([task.handler(() => undefined)], { state: slow });
    await (await client.enqueue(task, 0)).result({ timeout: "10s" });
    const waiting = await client.enqueue(task, 1, { expires: 1_000 });
    await asked.promise;
    await expect(waiting.result({ timeout: "10s" })).rejects.toMatchObject({ code: "TASK_EXPIRED" });
    answer.open();
    await granted.promise;
    const starts = () => state.members(["limits", "left", "all", "rate"]);
    await expect.poll(starts, { interval: 20, timeout: 10_000 }).toEqual([]);
  });
});

describe("what waits for a limit", () => {
  test("expires as it would in its queue", async () => {
    const task = defineTask<string>("limited", { limit: { concurrency: 1 } });
    const end = gate();
    const { client, seen } = await stage([task.handler(() => end.promise)]);
    await client.enqueue(task, "first");
    await seen("task.started");
    const late = await client.enqueue(task, "late", { expires: 50 });
    await expect(late.result({ timeout: "10s" })).rejects.toMatchObject({ code: "TASK_EXPIRED" });
    end.open();
  });

  test.each([
    ["in the worker", 1],
    ["in the queue", 120],
  ])("is cancelled %s, and never starts", async (_, ahead) => {
    const task = defineTask<number>("limited", { limit: { concurrency: 1 } });
    const end = gate();
    const started: number[] = [];
    const { client } = await stage([
      task.handler(async (n) => {
        started.push(n);
        if (n === 0) await end.promise;
      }),
    ]);
    const handles = await enqueueAll(
      client,
      task,
      Array.from({ length: ahead + 1 }, (_, n) => n),
    );
    const last = handles[ahead];
    await expect.poll(async () => (await client.queues.depth("default")).ready).toBe(0);
    await last?.cancel("not wanted");
    await expect(last?.result({ timeout: "10s" })).rejects.toMatchObject({ code: "TASK_CANCELLED" });
    end.open();
    await Promise.all(handles.slice(0, ahead).map((handle) => handle.result({ timeout: "20s" })));
    expect(started).not.toContain(ahead);
  });

  test("fails for good when the function of the key gives none", async () => {
    const task = defineTask<{ user?: string }>("limited", {
      limit: { key: ({ user }) => user as string, concurrency: 1 },
    });
    const { client } = await stage([task.handler(() => undefined)]);
    await expect((await client.enqueue(task, {})).result()).rejects.toThrow("expected a string, got undefined");
  });
});

describe("a limit that cannot be kept", () => {
  const handlers = [defineTask("limited", { limit: { concurrency: 1 } }).handler(() => undefined)];

  test("is refused at start without a state store", async () => {
    await expect(stage(handlers, { state: false })).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });

  test.each(["delay", "redelivery"] as const)("is refused at start by a broker that refuses %s", async (capability) => {
    const broker = memory();
    const poor = Object.create(broker, {
      capabilities: { value: { ...broker.capabilities, [capability]: "refused" } },
    }) as typeof broker;
    await expect(stage(handlers, { broker: poor, state: memoryState() })).rejects.toMatchObject({
      code: "UNSUPPORTED_CAPABILITY",
      capability,
    });
  });

  test.each([
    {},
    { concurrency: 0 },
    { concurrency: 1.5 },
    { rate: { limit: 0, per: "1s" } },
    { rate: { limit: 1, per: 0 } },
    { concurrency: 1, key: "user" as never },
  ])("is refused at its definition: %j", (limit) => {
    expect(() => defineTask("limited", { limit })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test("is refused for a broadcast", () => {
    expect(() => defineTask("limited", { broadcast: true, limit: { concurrency: 1 } } as never)).toThrow("broadcast");
  });
});
