import { describe, expect, onTestFinished, test } from "vitest";
import { type Broker, createClient, createWorker, defineTask, memory, silentLogger } from "../src/index.ts";
import { gate, stage } from "./worker/setup.ts";

const work = defineTask<number, number>("work");

/** A handler that runs until its signal aborts, and tells when it starts. */
function patient() {
  const started = gate<string>();
  const reasons: unknown[] = [];
  const handler = work.handler(async (n, { id, signal }) => {
    started.open(id);
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    reasons.push(signal.reason);
    return n;
  });
  return { started: started.promise, reasons, handler };
}

describe("cancelling what waits", () => {
  test("takes the message back: it never starts, and who waits is told at once", async () => {
    const { client } = await stage([work.handler((n) => n)], { start: false });
    const handle = await client.enqueue(work, 1);
    const waiting = handle.outcome();
    expect(await handle.cancel("not needed")).toBe("finished");
    expect(await waiting).toMatchObject({
      status: "cancelled",
      code: "TASK_CANCELLED",
      reason: "not needed",
      task: "work",
    });
    expect(await client.queues.depth("default")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
    await expect(handle.result()).rejects.toMatchObject({ code: "TASK_CANCELLED" });
  });

  test("and what is delayed, wherever it waits", async () => {
    const { client } = await stage([work.handler((n) => n)], { start: false });
    const here = await client.enqueue(work, 1, { delay: "1h" });
    const there = await client.enqueue(work, 1, { queue: "elsewhere" });
    expect(await client.cancel([here.id, there.id], "both")).toEqual(["finished", "finished"]);
    for (const { id } of [here, there])
      expect(await client.handle(work, id).outcome()).toMatchObject({ status: "cancelled", reason: "both" });
  });

  test("between two attempts", async () => {
    const retried = defineTask("retried", { retry: { attempts: 5, backoff: { from: "1h", to: "1h" } } });
    const { client, seen } = await stage([
      retried.handler(() => {
        throw new Error("on purpose");
      }),
    ]);
    const handle = await client.enqueue(retried);
    await seen("task.retrying");
    expect(await handle.cancel()).toBe("finished");
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", attempt: 1 });
  });

  test("what nobody has seen yet is cancelled as soon as it comes", async () => {
    const { client, events, seen } = await stage([work.handler((n) => n)]);
    expect(await client.cancel(["later"])).toEqual(["requested"]);
    const handle = await client.enqueue(work, 1, { id: "later" });
    expect(await handle.outcome()).toMatchObject({ status: "cancelled" });
    await seen("task.cancelled");
    expect(events.map(({ type }) => type)).not.toContain("task.started");
  });

  test("where the broker cannot take messages back, a worker refuses it before it starts", async () => {
    const broker = memory();
    const { admin: _, ...blind } = broker;
    const { client, worker, events } = await stage([work.handler((n) => n)], { broker: blind, start: false });
    const handles = (await client.enqueueMany(work, [1, 2, 3])).flatMap((item) =>
      item.status === "refused" ? [] : [item.handle],
    );
    expect(await client.cancel(handles.slice(0, 2).map(({ id }) => id))).toEqual(["requested", "requested"]);
    await worker.start();
    const outcomes = await Promise.all(handles.map((handle) => handle.outcome()));
    expect(outcomes.map(({ status }) => status)).toEqual(["cancelled", "cancelled", "succeeded"]);
    expect(events.filter(({ type }) => type === "task.started")).toHaveLength(1);
  });
});

describe("cancelling what runs", () => {
  test("aborts its signal with a typed reason; its outcome is cancelled, whatever it made of it", async () => {
    const { handler, started, reasons } = patient();
    const { client, seen } = await stage([handler]);
    const handle = await client.enqueue(work, 1);
    await started;
    expect(await handle.cancel("enough")).toBe("requested");
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(reasons).toEqual([
      expect.objectContaining({ name: "AbortedError", code: "TASK_CANCELLED", message: "enough" }),
    ]);
    await seen("task.cancelled");
    expect(await client.queues.depth("default")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
  });

  test("says that it is running once it has been for a heartbeat, and no longer when it has ended", async () => {
    const { handler, started } = patient();
    const broker = memory();
    const state = broker.companions.state();
    const { client, seen } = await stage([handler], { broker, lease: "150ms" });
    const handle = await client.enqueue(work, 1);
    await started;
    const signal = AbortSignal.timeout(10_000);
    for await (const change of state.watch(["running"], signal)) if (change.type === "put") break;
    expect(await handle.cancel()).toBe("running");
    await handle.outcome();
    await seen("task.cancelled");
    expect(await handle.cancel()).toBe("finished");
  });

  test("by force: the outcome stands at once, and what the handler comes to is not kept", async () => {
    const started = gate();
    const end = gate();
    const { client, events, seen } = await stage([
      work.handler(async (n) => {
        started.open();
        await end.promise;
        return n;
      }),
    ]);
    const handle = await client.enqueue(work, 1);
    await started.promise;
    expect(await handle.cancel("now", { mode: "force", grace: "1h" })).toBe("finished");
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "now" });
    end.open();
    await seen("task.cancelled");
    expect(events.map(({ type }) => type)).not.toContain("task.succeeded");
    expect(await handle.get()).toMatchObject({ status: "cancelled" });
  });

  test("a handler that ignores its signal is given up after the grace, and its slot is used again", async () => {
    const started = gate();
    const { client, seen } = await stage(
      [
        work.handler(async (n) => {
          if (n === 2) return n;
          started.open();
          return new Promise<number>(() => undefined);
        }),
      ],
      { queues: { default: { concurrency: 1 } } },
    );
    const deaf = await client.enqueue(work, 1);
    await started.promise;
    await deaf.cancel("deaf", { grace: "10ms" });
    const next = await client.enqueue(work, 2);
    expect(await next.result()).toBe(2);
    await seen("task.abandoned");
    expect(await deaf.outcome()).toMatchObject({ status: "cancelled", reason: "deaf" });
  });
});

describe("what has ended", () => {
  test("stays as it was", async () => {
    const { client } = await stage([work.handler((n) => n)]);
    const handle = await client.enqueue(work, 7);
    expect(await handle.result()).toBe(7);
    expect(await handle.cancel()).toBe("finished");
    expect(await handle.result()).toBe(7);
  });

  test("a replay of what failed is another run: the old outcome does not beat its cancellation", async () => {
    const fails = defineTask("fails");
    const { client, worker, seen, broker } = await stage([
      fails.handler(() => {
        throw new Error("on purpose");
      }),
    ]);
    const handle = await client.enqueue(fails);
    await seen("task.failed");
    await worker.stop();
    const { entries } = await client.deadLetters.list("default");
    await client.deadLetters.replay(
      "default",
      entries.map(({ key }) => key),
    );
    expect(await handle.cancel("not again")).toBe("finished");
    expect(await broker.companions?.results?.().get([handle.id])).toMatchObject([
      { status: "cancelled", run: 1, reason: "not again" },
    ]);
  });
});

describe("bound tasks", () => {
  const child = defineTask("child");
  const parent = defineTask("parent");

  test("are cancelled with the one that enqueued them, and others are not", async () => {
    const ready = gate<readonly string[]>();
    const { client } = await stage(
      [
        parent.handler(async (_, { enqueue, signal }) => {
          const bound = await enqueue(child, undefined, { bound: true, queue: "idle" });
          const free = await enqueue(child, undefined, { queue: "idle" });
          ready.open([bound.id, free.id]);
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
        }),
        child.handler(() => undefined),
      ],
      { queues: { default: {} } },
    );
    const handle = await client.enqueue(parent);
    const [bound = "", free = ""] = await ready.promise;
    await handle.cancel("the whole");
    expect(await client.handle(child, bound, { queue: "idle" }).outcome()).toMatchObject({
      status: "cancelled",
      reason: "the whole",
    });
    expect(await client.handle(child, free, { queue: "idle" }).get()).toMatchObject({ status: "pending" });
  });

  test("are not enqueued once their parent is cancelled", async () => {
    const go = gate();
    const refused = gate<unknown>();
    const broker = memory();
    const { client } = await stage(
      [
        parent.handler(async (_, { enqueue, id }) => {
          await broker.companions.state().put([
            {
              key: ["cancel", id],
              value: Buffer.from(JSON.stringify({ run: 0, reason: "gone", mode: "graceful", at: 1 })),
            },
          ]);
          await go.promise;
          await enqueue(child, undefined, { bound: true }).then(() => refused.open("enqueued"), refused.open);
        }),
        child.handler(() => undefined),
      ],
      { broker },
    );
    await client.enqueue(parent);
    go.open();
    expect(await refused.promise).toMatchObject({ code: "TASK_CANCELLED" });
  });
});

describe("without a state store", () => {
  const { companions: _, ...broker } = memory();

  test("cancelling is refused with STATE_REQUIRED", async () => {
    const client = await createClient({ broker: broker as Broker, results: memory().companions.results() });
    onTestFinished(() => client.close());
    const handle = await client.enqueue(work, 1);
    // The backend brings a state store of its own.
    expect(await handle.cancel()).toBe("finished");
    const stateless = await createClient({ broker: broker as Broker, results: false, state: undefined });
    onTestFinished(() => stateless.close());
    await expect(stateless.cancel(["x"])).rejects.toMatchObject({ code: "STATE_REQUIRED" });
  });

  test("a bound task is refused, an ordinary one is not", async () => {
    const parent = defineTask("parent");
    const answers = gate<readonly PromiseSettledResult<unknown>[]>();
    const worker = createWorker({
      broker: broker as Broker,
      logger: silentLogger,
      handlers: [
        parent.handler(async (_, { enqueue }) => {
          answers.open(await Promise.allSettled([enqueue(work, 1), enqueue(work, 1, { bound: true })]));
        }),
        work.handler((n) => n),
      ],
    });
    onTestFinished(() => worker.close());
    const client = await createClient({ broker: broker as Broker, results: false });
    onTestFinished(() => client.close());
    await worker.start();
    await client.enqueue(parent);
    expect(await answers.promise).toMatchObject([
      { status: "fulfilled", value: { task: "work" } },
      { status: "rejected", reason: { code: "STATE_REQUIRED" } },
    ]);
  });
});
