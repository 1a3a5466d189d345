import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Broker,
  type Consumer,
  type Delivery,
  defineTask,
  memory,
  memoryResults,
  type ResultBackend,
} from "../../src/index.ts";
import { Quarantine } from "../../src/worker/quarantine.ts";
import { gate, stage } from "./setup.ts";

const job = defineTask<string, void>("job");

/** Takes all there is `count` times, as workers would that crash each time. */
async function crashWorkers(broker: Broker, count: number): Promise<void> {
  for (let crash = 0; crash < count; crash += 1) {
    const consumer = await broker.consume("default", { window: 1_000, lease: 60_000 });
    await consumer.take(1_000, new AbortController().signal);
    await consumer.close();
  }
}

describe("a message that may have killed its workers", () => {
  test("runs with no other beside it, and everything runs", async () => {
    const broker = memory();
    const beside = new Map<string, number>();
    const held: unknown[] = [];
    let running = 0;
    const handler = job.handler(async (name) => {
      running += 1;
      const others = (): void => void beside.set(name, Math.max(beside.get(name) ?? 0, running - 1));
      others();
      if (name.startsWith("suspect")) held.push((await broker.admin?.depth("default"))?.running);
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2)).then(others);
      running -= 1;
    });
    const { client, worker } = await stage([handler], { broker, start: false });
    const suspects = await client.enqueueMany(
      job,
      Array.from({ length: 6 }, (_, index) => `suspect ${index}`),
    );
    await crashWorkers(broker, 2);
    const fresh = await client.enqueueMany(
      job,
      Array.from({ length: 60 }, (_, index) => `fresh ${index}`),
    );
    await worker.start();
    await Promise.all([...suspects, ...fresh].map((answer) => answer.status !== "refused" && answer.handle.result()));
    const company = (kind: string) => [...beside].filter(([name]) => name.startsWith(kind)).map(([, others]) => others);
    expect(company("suspect")).toEqual([0, 0, 0, 0, 0, 0]);
    expect(held, "deliveries that the worker held while a suspect ran").toEqual([1, 1, 1, 1, 1, 1]);
    expect(Math.max(...company("fresh"))).toBeGreaterThan(0);
  });

  test("does not get back what it handed back, though a take waits, and its reply is slow", async () => {
    const real = memory();
    const slowly = (consumer: Consumer): Consumer => ({
      ...consumer,
      take: async (max, signal) => {
        const deliveries = await consumer.take(max, signal);
        for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
        return deliveries;
      },
    });
    const broker: Broker = { ...real, consume: (queue, options) => real.consume(queue, options).then(slowly) };
    const held: unknown[] = [];
    const handler = job.handler(async () => {
      let most = 0;
      for (let turn = 0; turn < 50; turn += 1) {
        most = Math.max(most, (await broker.admin?.depth("default"))?.running ?? 0);
        await new Promise(setImmediate);
      }
      held.push(most);
    });
    const { client, worker } = await stage([handler], { broker, start: false });
    const suspects = await client.enqueueMany(job, ["one", "two", "three", "four", "five"]);
    await crashWorkers(real, 2);
    await worker.start();
    await Promise.all(suspects.map((answer) => answer.status !== "refused" && answer.handle.result()));
    expect(held, "deliveries that the worker held while a suspect ran").toEqual([1, 1, 1, 1, 1]);
  });

  test("hands back unspent what would have waited beside it", async () => {
    const broker = memory();
    const started = gate();
    const go = gate();
    const { client, worker, seen } = await stage(
      [
        job.handler(() => {
          started.open();
          return go.promise;
        }),
      ],
      { broker, start: false },
    );
    const first = await client.enqueue(job, "suspect");
    await crashWorkers(broker, 2);
    await client.enqueueMany(job, ["fresh", "fresh", "fresh"]);
    await worker.start();
    await started.promise;
    await seen("task.released");
    expect(worker.status()).toMatchObject({ running: 1, buffered: 0 });
    expect(await broker.admin?.depth("default")).toMatchObject({ running: 1, ready: 3 });
    go.open();
    await first.result();
    await seen("task.succeeded", ({ id }) => id !== first.id);
  });

  test("that waits for company to leave is handed back by a stop", async () => {
    const looked = gate();
    const results = memoryResults();
    const slowToLook: ResultBackend = { ...results, get: (ids) => looked.promise.then(() => results.get(ids)) };
    const broker: Broker = { ...memory(), companions: { results: () => slowToLook } };
    const started = gate();
    const go = gate();
    const runs: string[] = [];
    const handler = job.handler((name) => {
      runs.push(name);
      started.open();
      return go.promise;
    });
    const { client, worker } = await stage([handler], { broker, start: false, shutdown: { timeout: "10s" } });
    await client.enqueue(job, "suspect");
    await crashWorkers(broker, 2);
    await worker.start();
    await client.enqueue(job, "company");
    await started.promise;
    looked.open();
    while (worker.status().buffered === 0) await new Promise(setImmediate);
    const stopped = worker.stop();
    go.open();
    await stopped;
    expect(runs).toEqual(["company"]);
    expect(await broker.admin?.depth("default")).toEqual({ ready: 1, delayed: 0, running: 0, dead: 0 });
  });
});

describe("quarantine", () => {
  const suspect = { deliveryCount: 3 } as Delivery;
  const another = { deliveryCount: 4 } as Delivery;
  const changes = vi.fn();
  let quarantine: Quarantine;

  beforeEach(() => {
    vi.useFakeTimers();
    changes.mockClear();
    quarantine = new Quarantine(changes);
  });
  afterEach(() => {
    quarantine.giveUp();
    vi.useRealTimers();
  });

  test("keeps one suspect at a time", () => {
    expect(quarantine.keep(suspect)).toBe(true);
    expect(quarantine.keep(another)).toBe(false);
    expect(quarantine.limit).toBe(0);
    expect(quarantine.next(0)).toBe(suspect);
    expect(quarantine.next(0)).toBeUndefined();
    expect(quarantine.keep(another)).toBe(false);
    quarantine.end(suspect);
    expect(quarantine.keep(another)).toBe(true);
  });

  test("waits for company to leave, but no longer than three seconds", () => {
    quarantine.keep(suspect);
    expect(quarantine.next(3)).toBeUndefined();
    vi.advanceTimersByTime(2_999);
    expect(quarantine.next(3)).toBeUndefined();
    expect(changes).not.toHaveBeenCalled();
    vi.advanceTimersByTime(2);
    expect(changes).toHaveBeenCalled();
    expect(quarantine.next(3)).toBe(suspect);
  });

  test("lasts ten seconds: then others may run beside it", () => {
    quarantine.keep(suspect);
    quarantine.next(0);
    vi.advanceTimersByTime(9_999);
    expect(quarantine.isActive).toBe(true);
    vi.advanceTimersByTime(1);
    expect(quarantine.isActive).toBe(false);
    expect(changes).toHaveBeenCalledTimes(1);
    quarantine.keep(another);
    quarantine.next(0);
    quarantine.end(suspect);
    expect(quarantine.isActive, "the end of one that was no longer alone ends nothing").toBe(true);
  });

  test("after a suspect deliveries are taken one by one, until one is above suspicion", () => {
    expect(quarantine.limit).toBe(Number.POSITIVE_INFINITY);
    quarantine.keep(suspect);
    quarantine.next(0);
    quarantine.relax();
    quarantine.end(suspect);
    expect(quarantine.limit).toBe(1);
    quarantine.relax();
    expect(quarantine.limit).toBe(Number.POSITIVE_INFINITY);
  });
});
