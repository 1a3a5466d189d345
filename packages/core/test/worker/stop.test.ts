import { describe, expect, test } from "vitest";
import { createWorker, defineTask, memory, silentLogger } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

const job = defineTask<{ name: string }, string>("job");

describe("stopping", () => {
  test("what runs may finish, what has not started is handed back with its attempt unspent", async () => {
    const go = gate();
    const started = gate();
    const { broker, client, worker, seen } = await stage(
      [
        job.handler(async ({ name }) => {
          started.open();
          await go.promise;
          return name;
        }),
      ],
      { queues: { default: { concurrency: 1 } }, shutdown: { timeout: "10s" } },
    );
    const first = await client.enqueue(job, { name: "first" });
    await started.promise;
    const second = await client.enqueue(job, { name: "second" });
    const stopped = worker.stop();
    await seen("worker.stopping");
    go.open();
    await stopped;
    expect(await first.result()).toBe("first");
    expect(await second.get()).toMatchObject({ status: "pending" });
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0 });

    const next = await stage(
      [job.handler(({ name }, { attempt, deliveryCount }) => `${name} ${attempt} ${deliveryCount}`)],
      { broker },
    );
    expect(await second.result()).toBe("second 0 1");
    expect(next.worker.status()).toMatchObject({ state: "running", queues: ["default"], tasks: ["job"] });
  });

  test("after the deadline signals abort with WORKER_STOPPING, and what ends then is handed back", async () => {
    const started = gate();
    const reason = gate<unknown>();
    const { broker, client, worker, seen } = await stage([
      job.handler(
        (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reason.open(signal.reason);
              reject(new Error("aborted"));
            });
            started.open();
          }),
      ),
    ]);
    const handle = await client.enqueue(job, { name: "long" });
    await started.promise;
    await worker.stop({ timeout: 0 });
    expect(await reason.promise).toMatchObject({ name: "AbortedError", code: "WORKER_STOPPING" });
    expect(await seen("task.released")).toMatchObject({ id: handle.id, attempt: 0 });
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0, dead: 0 });
  });

  test("a handler that finishes after its signal aborted has finished", async () => {
    const started = gate();
    const { client, worker } = await stage([
      job.handler(
        (_, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => resolve("just in time"));
            started.open();
          }),
      ),
    ]);
    const handle = await client.enqueue(job, { name: "long" });
    await started.promise;
    await worker.stop({ timeout: 0 });
    expect(await handle.result()).toBe("just in time");
  });

  test("a handler that ignores its signal is handed back all the same", async () => {
    const started = gate();
    const { broker, client, worker, seen } = await stage([
      job.handler(() => {
        started.open();
        return new Promise(() => undefined);
      }),
    ]);
    await client.enqueue(job, { name: "deaf" });
    await started.promise;
    await worker.stop({ timeout: 0 });
    await seen("task.abandoned");
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: 1, running: 0 });
  });

  test("a second stop with a shorter timeout hurries the first", async () => {
    const started = gate();
    const { client, worker, seen } = await stage(
      [
        job.handler((_, { signal }) => {
          started.open();
          return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        }),
      ],
      { shutdown: { timeout: "1h" } },
    );
    await client.enqueue(job, { name: "long" });
    await started.promise;
    const stopped = worker.stop();
    await seen("worker.stopping");
    await worker.stop({ timeout: 0 });
    await stopped;
    expect(worker.status().state).toBe("stopped");
  });

  test("stop may come twice, before the start, and after a failed start", async () => {
    const broker = memory();
    const never = createWorker({ broker, handlers: [job.handler(() => "")], logger: silentLogger });
    await never.stop();
    await never.stop();
    await expect(never.start()).rejects.toMatchObject({ code: "CLOSED" });

    const broken = createWorker({ broker, handlers: [], logger: silentLogger });
    await expect(broken.start()).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
    await broken.close();
    expect(broken.status().state).toBe("stopped");
  });

  test("a stop that comes when all is over leaves no timer that keeps the process alive", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const { worker } = await stage([job.handler(() => "")]);
    await worker.stop();
    const before = timers();
    await worker.stop({ timeout: "1h" });
    expect(timers()).toBe(before);
  });

  test("run resolves when the worker has stopped", async () => {
    const { worker, seen } = await stage([job.handler(() => "")], { start: false });
    const run = worker.run({ signals: false });
    await seen("worker.started");
    await worker.stop();
    await run;
  });

  test("faults of the configuration come all at once", async () => {
    const worker = createWorker({
      broker: memory(),
      handlers: [],
      lease: 1,
      maxDeliveries: 0,
      queues: { "no spaces": { concurrency: 0 } },
      logger: silentLogger,
    });
    await expect(worker.start()).rejects.toMatchObject({
      code: "CONFIGURATION_INVALID",
      problems: [
        expect.stringContaining("lease"),
        expect.stringContaining("maxDeliveries"),
        expect.stringContaining("queue name"),
        expect.stringContaining("concurrency"),
      ],
    });
  });

  test("two handlers for one task are refused", async () => {
    const worker = createWorker({
      broker: memory(),
      handlers: [job.handler(() => "a"), job.handler(() => "b")],
      logger: silentLogger,
    });
    await expect(worker.start()).rejects.toMatchObject({ code: "HANDLER_DUPLICATE" });
  });
});
