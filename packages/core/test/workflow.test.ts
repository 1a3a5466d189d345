import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { chain, chord, createClient, defineTask, type GroupResults, group, map, memory, step } from "../src/index.ts";
import { gate, stage } from "./worker/setup.ts";

const add = defineTask<{ a: number; b: number }, number>("add");
const double = defineTask<number, number>("double");
const text = defineTask<number, string>("text");
const sum = defineTask<readonly number[], number>("sum");
const lazySum = defineTask<GroupResults<readonly number[]>, number>("lazy-sum");
const list = defineTask<number, number[]>("list");
const fail = defineTask<number, number>("fail");
const later = defineTask<number, number>("later", { queue: "later" });

const handlers = [
  add.handler(({ a, b }) => a + b),
  double.handler((n) => 2 * n),
  text.handler((n) => `<${n}>`),
  sum.handler((numbers) => numbers.reduce((total, n) => total + n, 0)),
  lazySum.handler(async (numbers) => {
    let total = 0;
    for await (const n of numbers) total += n;
    return total;
  }),
  list.handler((n) => Array.from({ length: n }, (_, index) => index)),
  fail.handler((n) => {
    throw new Error(`${n} is not my number`);
  }),
  later.handler((n) => n),
];

describe("a chain", () => {
  test("gives each step the result of the one before, and its last result to the caller", async () => {
    const { client } = await stage(handlers);
    const handle = await client.enqueue(chain(add, double, text), { a: 1, b: 2 });
    expect(await handle.result()).toBe("<6>");
    expect(await handle.outcome()).toMatchObject({ status: "succeeded", id: handle.id, task: "text" });
  });

  test("ends with the failure of a step; what follows it never starts", async () => {
    const { client, events } = await stage(handlers);
    const handle = await client.enqueue(chain(double, fail, text), 2);
    await expect(handle.result()).rejects.toMatchObject({
      code: "TASK_FAILED",
      message: expect.stringContaining("4 is not my number"),
    });
    expect(events.filter(({ type }) => type === "task.started")).toHaveLength(2);
  });

  test("nests", async () => {
    const { client } = await stage(handlers);
    const handle = await client.enqueue(chain(chain(double, chain(double)), chain(double, text)), 1);
    expect(await handle.result()).toBe("<8>");
  });

  test("steps may have inputs, queues, delays and attempts of their own", async () => {
    const attempts: number[] = [];
    const unsteady = defineTask<number, number>("unsteady");
    const { client } = await stage(
      [
        ...handlers,
        unsteady.handler((n, { attempt }) => {
          attempts.push(attempt);
          if (attempt === 0) throw new Error("not yet");
          return n;
        }),
      ],
      { queues: { default: {}, later: {} } },
    );
    const retry = { attempts: 2, backoff: { from: 1, to: 1 } };
    const flow = chain(
      step(unsteady, { retry }),
      step(double, { delay: 5 }),
      step(later, {}),
      step(add, { input: { a: 1, b: 1 } }),
    );
    expect(await (await client.enqueue(flow, 4)).result()).toBe(2);
    expect(attempts).toEqual([0, 1]);
  });

  test("a step that failed may have a fallback, which gets its input", async () => {
    const { client } = await stage(handlers);
    const flow = chain(double, step(fail, { fallback: chain(double, double) }), text);
    expect(await (await client.enqueue(flow, 1)).result()).toBe("<8>");
    expect(await client.queues.depth("default")).toMatchObject({ dead: 0 });
  });

  test("a fallback counts wherever its step stands: alone, as a member, last in a chain; and shows in the tree", async () => {
    const { client } = await stage(handlers);
    const safe = step(fail, { fallback: double });
    expect(await (await client.enqueue(safe, 1)).result()).toBe(2);
    const handle = await client.enqueue(chain(group([safe, chain(double, safe), double]), sum), 1);
    expect(await handle.result()).toBe(2 + 4 + 2);
    expect((await handle.tree()).members[0]).toMatchObject({
      status: "succeeded",
      members: [
        { kind: "task", status: "succeeded", members: [{ status: "failed" }, { status: "succeeded" }] },
        { kind: "chain", status: "succeeded" },
        { status: "succeeded", members: [] },
      ],
    });
    expect(await client.handle(safe, "unheard-of").get()).toMatchObject({ status: "unknown" });
  });

  test("checks its input by the first task's schema, and inputs of steps by theirs", async () => {
    const checked = defineTask("checked", { input: z.object({ n: z.number() }), output: z.number() });
    const { client } = await stage([...handlers, checked.handler(({ n }) => n)]);
    await expect(client.enqueue(chain(checked, text), { n: "1" } as never)).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    await expect(client.enqueue(chain(double, step(checked, { input: { n: "1" } as never })), 1)).rejects.toMatchObject(
      {
        code: "INPUT_INVALID",
      },
    );
    expect(await (await client.enqueue(chain(checked, text), { n: 1 })).result()).toBe("<1>");
  });

  test("what a long plan holds does not have to travel", async () => {
    const { client } = await stage(handlers);
    const long = step(text, { input: 7, headers: { note: "n".repeat(3_000) } });
    const flow = chain(double, long, long, long, long);
    expect(await (await client.enqueue(flow, 1)).result()).toBe("<7>");
  });
});

describe("a group", () => {
  test("gives the results of its members in order", async () => {
    const { client } = await stage(handlers);
    const handle = await client.enqueue(group([double, text, chain(double, double)]), 3);
    expect(await handle.result()).toEqual([6, "<3>", 12]);
  });

  test("goes on to the next step as a list, or lazily to a chord's task", async () => {
    const { client } = await stage(handlers);
    expect(await (await client.enqueue(chain(group([double, chain(double, double)]), sum), 3)).result()).toBe(18);
    expect(await (await client.enqueue(chord(map(double), lazySum), [1, 2, 3])).result()).toBe(12);
  });

  test("of nothing ends at once", async () => {
    const { client } = await stage(handlers);
    expect(await (await client.enqueue(chain(map(double), sum), [])).result()).toBe(0);
    expect(await (await client.enqueue(group([]), undefined)).result()).toEqual([]);
  });

  test("fails with its first failed member, and cancels the rest", async () => {
    const { client } = await stage(handlers, { queues: { default: {} } });
    const flow = chain(group([double, fail, later]), text as never);
    const handle = await client.enqueue(flow as ReturnType<typeof group>, 1);
    await expect(handle.result()).rejects.toMatchObject({ code: "TASK_FAILED" });
    const record = await client.handle(later, `${handle.id}:0:2`, { queue: "later" });
    expect(await record.get()).toMatchObject({ status: "pending" });
  });

  test("collects outcomes where it is told to", async () => {
    const { client } = await stage(handlers);
    const handle = await client.enqueue(group([double, fail], { onFailure: "collect" }), 2);
    expect(await handle.result()).toMatchObject([
      { status: "succeeded", result: 4 },
      { status: "failed", error: { message: "2 is not my number" } },
    ]);
  });

  test("nests in groups and chains", async () => {
    const { client } = await stage(handlers);
    const flow = chain(group([group([double, double]), chain(list, map(double))]), step(lists, {}));
    const { client: other } = await stage([...handlers, lists.handler((value) => JSON.stringify(value))]);
    expect(await (await other.enqueue(flow, 3)).result()).toBe("[[6,6],[0,2,4]]");
    void client;
  });

  test("of 1,500 completes, over several batches and several sets", async () => {
    const { client } = await stage(handlers, { queues: { default: { concurrency: 100 } } });
    const numbers = Array.from({ length: 1_500 }, (_, index) => index);
    const handle = await client.enqueue(chord(map(double), lazySum), numbers);
    expect(await handle.result()).toBe(1_499 * 1_500);
  });
});

const pair = defineTask<readonly [string, string], string>("pair");
const lists = defineTask<readonly [readonly number[], readonly number[]], string>("lists");

describe("a map", () => {
  test("runs over what came before, a group's results too", async () => {
    const { client } = await stage(handlers);
    expect(await (await client.enqueue(chain(list, map(double), sum), 4)).result()).toBe(12);
    expect(await (await client.enqueue(chain(group([double, double]), map(text)), 1)).result()).toEqual(["<2>", "<2>"]);
  });

  test("over what is no list fails, and says so", async () => {
    const { client } = await stage(handlers);
    const flow = chain(double, map(double) as never);
    await expect((await client.enqueue(flow as ReturnType<typeof chain>, 4)).result()).rejects.toMatchObject({
      code: "TASK_FAILED",
      message: expect.stringContaining("expected a list, got number"),
    });
  });
});

describe("the handle of a workflow", () => {
  test("tells the state of each node, and how many tasks have ended", async () => {
    const { client, worker } = await stage(handlers, { queues: { default: {} } });
    const flow = chain(double, group([text, chain(later, text)]), pair);
    const handle = await client.enqueue(flow, 1);
    const counts = [];
    const stop = new AbortController();
    for await (const count of handle.progress({ signal: stop.signal })) {
      counts.push(count);
      if (count.done === 2) stop.abort();
    }
    expect(counts.at(-1)).toEqual({ done: 2, total: 5 });
    const tree = await handle.tree();
    expect(tree).toMatchObject({
      kind: "chain",
      status: "pending",
      members: [
        { kind: "task", task: "double", status: "succeeded" },
        {
          kind: "group",
          status: "pending",
          members: [
            { status: "succeeded" },
            {
              kind: "chain",
              status: "pending",
              members: [{ task: "later", status: "pending" }, { status: "waiting" }],
            },
          ],
        },
        { kind: "task", status: "waiting" },
      ],
    });
    await worker.stop();
  });

  test("attaches again from another process by the workflow and its id", async () => {
    const broker = memory();
    const { client } = await stage(handlers, { broker });
    const flow = chain(double, text);
    const { id } = await client.enqueue(flow, 1);
    const other = await createClient({ broker });
    onTestFinished(() => other.close());
    expect(await other.handle(flow, id).result()).toBe("<2>");
    expect(await other.handle(flow, "unheard-of").get()).toMatchObject({ status: "unknown" });
    await expect(other.handle(flow, "unheard-of").result()).rejects.toMatchObject({ code: "RESULT_UNKNOWN" });
  });

  test("cancels everything below it", async () => {
    const started = gate();
    const aborted = gate<unknown>();
    const slow = defineTask<number, number>("slow");
    const { client, events } = await stage(
      [
        ...handlers,
        slow.handler(async (_, { signal }) => {
          started.open();
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
          aborted.open(signal.reason);
          return 1;
        }),
      ],
      { queues: { default: {} } },
    );
    const handle = await client.enqueue(chain(group([slow, later, chain(double, slow)]), sum), 1);
    await started.promise;
    expect(await handle.cancel("all of it")).toBe("finished");
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "all of it" });
    expect(await aborted.promise).toMatchObject({ code: "TASK_CANCELLED" });
    expect(events.map((event) => ("task" in event ? event.task : "")).filter((name) => name === "sum")).toEqual([]);
  });

  test("cancelling one step ends what waits for it", async () => {
    const { client } = await stage(handlers, { queues: { default: {} } });
    const handle = await client.enqueue(chain(double, later, text), 1);
    const isQueued = async (): Promise<boolean> => (await client.queues.depth("later")).ready === 1;
    while (!(await isQueued())) await new Promise((resolve) => setImmediate(resolve));
    const [, waiting] = (await handle.tree()).members;
    expect(await client.cancel([waiting?.id ?? ""], "one step")).toEqual(["finished"]);
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "one step" });
  });
});

describe("what cannot be kept is refused", () => {
  test("a group without a state store, any workflow without results", async () => {
    const broker = memory();
    const stateless = await createClient({ broker, state: false });
    onTestFinished(() => stateless.close());
    await expect(stateless.enqueue(group([double]), 1)).rejects.toMatchObject({ code: "STATE_REQUIRED" });
    const blind = await createClient({ broker, results: false });
    onTestFinished(() => blind.close());
    await expect(blind.enqueue(chain(double), 1)).rejects.toMatchObject({ code: "RESULTS_UNAVAILABLE" });
  });

  test("a step that is acknowledged before its outcome is stored, and a broadcast", () => {
    expect(() => chain(defineTask("early", { acknowledge: "received" }))).toThrow(/acknowledge/);
    expect(() => group([defineTask("all", { broadcast: true })])).toThrow(/broadcast/);
    expect(() => chain(...([] as unknown as [typeof double]))).toThrow(/at least one step/);
    expect(() => chord(chain(double) as never, lazySum)).toThrow(/expected a group or a map/);
  });
});
