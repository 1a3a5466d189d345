import { describe, expect, test } from "vitest";
import {
  type Broker,
  BrokerError,
  defineTask,
  type Message,
  memory,
  memoryResults,
  monotonicNow,
  type ResultBackend,
  type StoredOutcome,
} from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

const job = defineTask<void, string>("job");
const untilNever = new AbortController().signal;

/** A handler that tells how often it has run. */
function counted() {
  const runs: string[] = [];
  const handler = job.handler(() => {
    const run = `run ${runs.length + 1}`;
    runs.push(run);
    return run;
  });
  return { runs, handler };
}

/** Takes the queue's one message as a worker would that crashes before it settles; `meanwhile` is what it got done. */
async function crashedWorker(
  broker: Broker,
  meanwhile: (message: Message) => Promise<unknown> = async () => undefined,
): Promise<void> {
  const consumer = await broker.consume("default", { window: 1, lease: 60_000 });
  const [delivery] = await consumer.take(1, untilNever);
  await meanwhile(delivery?.message as Message);
  await consumer.close();
}

function outcomeOf({ id, task, run, enqueuedAt }: Message): Omit<StoredOutcome, "status"> {
  return { id, task, run, enqueuedAt, attempt: 0, finishedAt: Date.now(), worker: "crashed", ttl: 60_000 };
}

function succeeded(message: Message, result: string): StoredOutcome {
  const body = Buffer.from(JSON.stringify(result));
  return { ...outcomeOf(message), status: "succeeded", result: { contentType: "application/json", body } };
}

/** The memory results behind a switch: while it is down, every call fails as if the server was away. */
function interruptible() {
  const real = memoryResults();
  const state = { isDown: false, failures: 0, onFailure: (_: number): void => undefined };
  const guard = <TArguments extends readonly unknown[], T>(call: (...args: TArguments) => Promise<T>) => {
    return async (...args: TArguments): Promise<T> => {
      if (!state.isDown) return call(...args);
      state.failures += 1;
      state.onFailure(state.failures);
      throw new BrokerError("BROKER_UNAVAILABLE", "The result backend is away.");
    };
  };
  const results: ResultBackend = { ...real, store: guard(real.store), get: guard(real.get) };
  return { results, state };
}

/** A memory broker whose companion is that result backend. */
function brokerWith(results: ResultBackend): Broker {
  return { ...memory(), companions: { results: () => results } };
}

describe("a redelivery looks first", () => {
  test("a task whose outcome stands is acknowledged unrun", async () => {
    const results = memoryResults();
    const broker = brokerWith(results);
    const { runs, handler } = counted();
    const { client, worker, seen, events } = await stage([handler], {
      broker,
      start: false,
    });
    const handle = await client.enqueue(job);
    await crashedWorker(broker, (message) => results.store([succeeded(message, "by the crashed worker")]));
    await worker.start();
    expect(await seen("task.repeated")).toMatchObject({ id: handle.id, task: "job", attempt: 0, run: 0 });
    expect(await handle.outcome()).toMatchObject({ result: "by the crashed worker", worker: "crashed" });
    expect(await broker.admin?.depth("default")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
    expect(runs).toEqual([]);
    expect(events.map(({ type }) => type)).not.toContain("task.started");
  });

  test("a task whose failure stands goes to the dead letters unrun, since its worker may not have come to that", async () => {
    const results = memoryResults();
    const broker = brokerWith(results);
    const { runs, handler } = counted();
    const { client, worker, seen } = await stage([handler], { broker, start: false });
    const handle = await client.enqueue(job);
    const error = { name: "Error", message: "boom", code: "ENOENT" };
    await crashedWorker(broker, (message) =>
      results.store([{ ...outcomeOf(message), status: "failed", attempt: 1, error }]),
    );
    await worker.start();
    await seen("task.repeated");
    expect(runs).toEqual([]);
    expect(await handle.outcome()).toMatchObject({ status: "failed", worker: "crashed" });
    expect((await client.deadLetters.list("default")).entries).toMatchObject([
      { message: { id: handle.id }, reason: { code: "TASK_FAILED", message: "Error: boom" } },
    ]);
  });

  test("a task without an outcome runs again", async () => {
    const broker = memory();
    const { client, worker } = await stage([job.handler((_, { deliveryCount }) => `delivery ${deliveryCount}`)], {
      broker,
      start: false,
    });
    const handle = await client.enqueue(job);
    await crashedWorker(broker);
    await worker.start();
    expect(await handle.result()).toBe("delivery 2");
  });

  test("the outcome of a lower run does not count", async () => {
    const results = memoryResults();
    const broker = brokerWith(results);
    let isBroken = true;
    const handler = job.handler((_, { run, deliveryCount }) => {
      if (isBroken) throw new Error("boom");
      return `run ${run}, delivery ${deliveryCount}`;
    });
    const first = await stage([handler], { broker });
    const handle = await first.client.enqueue(job);
    await first.seen("task.failed");
    await first.worker.stop();
    isBroken = false;
    const { replayed } = await first.client.deadLetters.replay("default", "all");
    expect(replayed).toHaveLength(1);
    await crashedWorker(broker);
    const second = await stage([handler], { broker });
    await second.seen("task.succeeded");
    expect(await handle.result()).toBe("run 1, delivery 2");
  });

  test("while the result backend is away, the look is repeated and nothing runs", async () => {
    const { results, state } = interruptible();
    const broker = brokerWith(results);
    const { runs, handler } = counted();
    const { client, worker } = await stage([handler], { broker, start: false });
    const handle = await client.enqueue(job);
    await crashedWorker(broker);
    const thirdFailure = gate();
    state.onFailure = (count) => {
      if (count === 3) thirdFailure.open();
    };
    state.isDown = true;
    await worker.start();
    await thirdFailure.promise;
    expect(runs).toEqual([]);
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 0, running: 1 });
    state.isDown = false;
    expect(await handle.result()).toBe("run 1");
  });

  test("a stop does not wait for a look that gets no answer: the task is handed back", async () => {
    const { results, state } = interruptible();
    const broker = brokerWith(results);
    const { client, worker } = await stage([job.handler(() => "never here")], { broker, start: false });
    await client.enqueue(job);
    await crashedWorker(broker);
    const failed = gate();
    state.onFailure = () => failed.open();
    state.isDown = true;
    await worker.start();
    await failed.promise;
    const begun = monotonicNow();
    await worker.stop();
    expect(monotonicNow() - begun).toBeLessThan(10_000);
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0 });
  });
});

describe("an outcome that cannot be stored", () => {
  test("is kept and stored when the result backend is back, and only then is the task acknowledged", async () => {
    const { results, state } = interruptible();
    const broker = brokerWith(results);
    const { runs, handler } = counted();
    const { client, seen, events } = await stage([handler], { broker });
    const thirdFailure = gate();
    state.onFailure = (count) => {
      if (count === 3) thirdFailure.open();
    };
    state.isDown = true;
    const handle = await client.enqueue(job);
    await thirdFailure.promise;
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 0, running: 1 });
    expect(events.map(({ type }) => type)).not.toContain("task.succeeded");
    state.isDown = false;
    expect(await handle.result()).toBe("run 1");
    await seen("task.succeeded");
    expect(runs).toEqual(["run 1"]);
    expect(await broker.admin?.depth("default")).toEqual({ ready: 0, delayed: 0, running: 0, dead: 0 });
  });

  test("does not end with its worker: the task comes again", async () => {
    const { results, state } = interruptible();
    const broker = brokerWith(results);
    const failed = gate();
    state.onFailure = () => failed.open();
    state.isDown = true;
    const first = await stage([job.handler(() => "by the first")], { broker });
    const handle = await first.client.enqueue(job);
    await failed.promise;
    await first.worker.stop({ timeout: 0 });
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0, dead: 0 });
    state.isDown = false;
    await stage([job.handler(() => "by the second")], { broker });
    expect(await handle.result()).toBe("by the second");
  });
});

describe("a lost lease", () => {
  /** Keeps the event loop busy, so that no lease is renewed. */
  function block(milliseconds: number): void {
    const end = monotonicNow() + milliseconds;
    while (monotonicNow() < end);
  }

  test("aborts the signal with LEASE_LOST; what the handler makes of it is not stored", async () => {
    const reason = gate<unknown>();
    let runs = 0;
    const { client, seen, events } = await stage(
      [
        job.handler((_, { signal }) => {
          runs += 1;
          if (runs > 1) return "by the new owner";
          const aborted = new Promise<string>((resolve) => {
            signal.addEventListener("abort", () => {
              reason.open(signal.reason);
              resolve("by the old owner");
            });
          });
          block(200);
          return aborted;
        }),
      ],
      { lease: 100 },
    );
    const handle = await client.enqueue(job);
    expect(await reason.promise).toMatchObject({ name: "AbortedError", code: "LEASE_LOST" });
    expect(await seen("task.lost")).toMatchObject({ id: handle.id });
    expect(await handle.result()).toBe("by the new owner");
    await seen("task.succeeded");
    expect(runs).toBe(2);
    expect(events.filter(({ type }) => type === "task.succeeded")).toHaveLength(1);
    expect(events.map(({ type }) => type)).not.toContain("task.abandoned");
  });

  test("a handler that ignores its signal is given up, and what it returns is not stored", async () => {
    const release = gate<string>();
    let runs = 0;
    const { client, seen } = await stage(
      [
        job.handler(() => {
          runs += 1;
          if (runs > 1) return "by the new owner";
          block(200);
          return release.promise;
        }),
      ],
      { lease: 100, queues: { default: { concurrency: 1 } } },
    );
    const handle = await client.enqueue(job);
    await seen("task.abandoned");
    expect(await handle.result()).toBe("by the new owner");
    release.open("by the old owner");
    expect(await handle.result()).toBe("by the new owner");
  });
});
