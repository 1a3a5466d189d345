import { readFileSync } from "node:fs";
import {
  BrokerError,
  createClient,
  createWorker,
  defineTask,
  memory,
  silentLogger,
  type WorkerEvent,
} from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { type Prometheus, prometheus } from "../src/index.ts";

const job = defineTask<{ fail: number }, string>("job", { retry: { attempts: 2, backoff: { from: 0, to: 0 } } });

function open(options?: Parameters<typeof prometheus>[0]): Prometheus {
  const metrics = prometheus(options);
  onTestFinished(() => metrics.close());
  return metrics;
}

/** The value of one series, or `undefined` where there is none. */
function value(text: string, series: string): number | undefined {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

test("counts tasks from enqueue to end", async () => {
  const metrics = open();
  const broker = memory();
  const worker = createWorker({
    broker,
    handlers: [
      job.handler(async ({ fail }, { attempt }) => {
        if (attempt < fail) throw new Error("no");
        return "done";
      }),
    ],
    logger: silentLogger,
  });
  metrics.observeWorker(worker);
  const client = await createClient({ broker });
  metrics.observeClient(client);
  metrics.watchQueues(client.queues, ["default"]);
  const handles = await Promise.all([0, 1, 9].map((fail) => client.enqueue(job, { fail })));
  const before = await metrics.metrics();
  expect(value(before, 'taskferry_queue_depth{queue="default",section="ready"}')).toBe(3);
  // Whoever reaches the broker may put any name on a message: it becomes no series.
  const hostile = { id: "h", run: 0, hop: 0, task: "hostile", queue: "default", attempt: 0, enqueuedAt: 1 };
  await broker.publish([{ message: { ...hostile, contentType: "a/b", body: Buffer.of(1) } }], { timeout: 1_000 });
  await worker.start();
  await Promise.all(handles.map((handle) => handle.outcome({ timeout: "10s" })));
  await worker.close();
  const text = await metrics.metrics();
  const labels = 'task="job",queue="default"';
  expect(value(text, `taskferry_tasks_enqueued_total{${labels}}`)).toBe(3);
  expect(value(text, `taskferry_tasks_total{${labels},outcome="succeeded"}`)).toBe(2);
  expect(value(text, `taskferry_tasks_total{${labels},outcome="failed"}`)).toBe(1);
  expect(value(text, `taskferry_task_retries_total{${labels}}`)).toBe(2);
  expect(value(text, 'taskferry_dead_letters_total{queue="default",code="TASK_FAILED"}')).toBe(1);
  expect(value(text, 'taskferry_dead_letters_total{queue="default",code="TASK_UNKNOWN"}')).toBe(1);
  expect(value(text, `taskferry_tasks_in_flight{${labels}}`)).toBe(0);
  expect(value(text, `taskferry_task_duration_seconds_count{${labels}}`)).toBe(5);
  expect(value(text, `taskferry_task_wait_seconds_count{${labels}}`)).toBe(5);
  expect(value(text, 'taskferry_queue_depth{queue="default",section="dead"}')).toBe(2);
  expect(value(text, 'taskferry_event_loop_delay_seconds{loop="worker",quantile="0.99"}')).toBeGreaterThanOrEqual(0);
  expect(text).not.toContain("hostile");
  for (const { id } of handles) expect(text, "no id is a label").not.toContain(id);
  await client.close();
});

test("a broker that is away costs its depths, not the scrape", async () => {
  const metrics = open({ prefix: "app_" });
  let isAway = false;
  metrics.watchQueues(
    {
      depth: async () => {
        if (isAway) throw new BrokerError("BROKER_UNAVAILABLE", "away");
        return { ready: 1, delayed: 0, running: 0, dead: 0 };
      },
    },
    ["mail"],
  );
  expect(value(await metrics.metrics(), 'app_queue_depth{queue="mail",section="ready"}')).toBe(1);
  isAway = true;
  const text = await metrics.metrics();
  expect(value(text, 'app_queue_depth{queue="mail",section="ready"}')).toBeUndefined();
  expect(value(text, 'app_queue_depth_failures_total{queue="mail"}')).toBe(1);
});

test("how late timers were is of the time since the last scrape, here and where handlers run apart", async () => {
  const metrics = open();
  let tell: (event: WorkerEvent) => void = () => undefined;
  metrics.observeWorker({
    on: (listener) => {
      tell = listener;
      return () => undefined;
    },
  });
  const longest = async (loop: string) =>
    value(await metrics.metrics(), `taskferry_event_loop_delay_seconds{loop="${loop}",quantile="1"}`);
  expect(await longest("handlers"), "handlers run here").toBeUndefined();
  for (const milliseconds of [40, 900, 20]) tell({ type: "handlers.late", at: 1, milliseconds });
  // What is measured is the time from one look to the next: two looks, each late.
  for (let look = 0; look < 2; look += 1) {
    const until = performance.now() + 100;
    while (performance.now() < until) Math.random();
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await metrics.metrics();
  expect(value(text, 'taskferry_event_loop_delay_seconds{loop="handlers",quantile="1"}')).toBe(0.9);
  expect(value(text, 'taskferry_event_loop_delay_seconds{loop="worker",quantile="1"}')).toBeGreaterThan(0.05);
  expect(await longest("handlers")).toBe(0);
});

test("what several processes measure is told apart by a label, and each name stands once", async () => {
  const [own, first, second] = [open(), open(), open()];
  own.watchQueues({ depth: async () => ({ ready: 4, delayed: 0, running: undefined, dead: 0 }) }, ["mail"]);
  const task = { id: "1", task: "job", queue: "mail", attempt: 0, run: 0, at: 1 };
  for (const [index, metrics] of [first, second].entries()) {
    const listeners: ((event: WorkerEvent) => void)[] = [];
    metrics.observeWorker({ on: (listener) => listeners.push(listener) as never });
    for (let turn = 0; turn <= index; turn += 1)
      listeners[0]?.({ ...task, type: "task.executed", duration: 1_000 * (index + 1) });
  }
  // As between processes: plain data.
  const others = JSON.parse(JSON.stringify({ "1": await first.snapshot(), "2": await second.snapshot() }));
  const text = await own.metrics(others);
  const labels = 'task="job",queue="mail"';
  expect(value(text, `taskferry_task_duration_seconds_count{${labels},process="1"}`)).toBe(1);
  expect(value(text, `taskferry_task_duration_seconds_sum{${labels},process="2"}`)).toBe(4);
  expect(value(text, `taskferry_task_duration_seconds_bucket{le="+Inf",${labels},process="2"}`)).toBe(2);
  expect(value(text, `taskferry_task_duration_seconds_bucket{le="1",${labels},process="2"}`)).toBe(0);
  expect(value(text, 'taskferry_queue_depth{queue="mail",section="ready"}')).toBe(4);
  expect(text).not.toContain('section="running"');
  expect(text.match(/# TYPE taskferry_task_duration_seconds /g)).toHaveLength(1);
});

test("the dashboard asks for metrics that there are", async () => {
  const text = await open().metrics();
  const dashboard = readFileSync(new URL("../dashboard.json", import.meta.url), "utf8");
  const { panels } = JSON.parse(dashboard) as {
    readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  };
  const asked = panels.flatMap(({ targets = [] }) => targets).flatMap(({ expr }) => expr.match(/taskferry_\w+/g) ?? []);
  expect(new Set(asked).size).toBeGreaterThan(9);
  for (const name of asked) expect(text).toContain(`# TYPE ${name.replace(/_(bucket|count|sum)$/, "")} `);
});
