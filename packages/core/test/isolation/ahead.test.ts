import { expect, test } from "vitest";
import { type Client, memory, type Worker, type WorkerEvent } from "../../src/index.ts";
import { stage } from "../worker/setup.ts";
import { block, nap, paced, quick, timedNap } from "./fixtures/quick-tasks.ts";

const handlers = [new URL("./fixtures/quick-handlers.ts", import.meta.url)];
const apart = { isolation: { loop: "apart" as const } };
const many = 3_000;

async function enqueueMany(client: Client<true>, count = many): Promise<readonly string[]> {
  const handles = await Promise.all(Array.from({ length: count }, () => client.enqueue(quick)));
  return handles.map(({ id }) => id);
}

/** Resolves once a worker has told of so many successes. */
function succeeded(worker: Worker, count: number): Promise<void> {
  let left = count;
  return new Promise((resolve) => {
    worker.on(({ type }) => {
      if (type !== "task.succeeded") return;
      left -= 1;
      if (left === 0) resolve();
    });
  });
}

function idsOf(events: readonly WorkerEvent[], type: WorkerEvent["type"]): readonly string[] {
  return events.flatMap((event) => (event.type === type && "id" in event ? [event.id] : []));
}

test("tasks that are sent ahead of free slots never run beside more than their queue allows", async () => {
  const { client, events, worker } = await stage(handlers, { ...apart, queues: { default: { concurrency: 5 } } });
  const all = succeeded(worker, many);
  const ids = await enqueueMany(client);
  const beside = await Promise.all(ids.map((id) => client.handle(quick, id).result()));
  expect(Math.max(...beside)).toBe(5);
  await all;
  expect(idsOf(events, "task.succeeded").toSorted()).toEqual(ids.toSorted());
});

test("what would wait behind long ones is handed back, and nothing is lost", async () => {
  const { client, seen, events, worker } = await stage(handlers, { ...apart, queues: { default: { concurrency: 2 } } });
  const all = succeeded(worker, 1_004);
  const first = await enqueueMany(client, 500);
  const naps = await Promise.all([1, 2, 3, 4].map(() => client.enqueue(nap, 600)));
  const later = await enqueueMany(client, 500);
  await seen("task.released");
  expect(Math.max(...(await Promise.all(naps.map((handle) => handle.result()))))).toBe(2);
  await all;
  const ids = [...first, ...naps.map(({ id }) => id), ...later];
  expect(idsOf(events, "task.succeeded").toSorted()).toEqual(ids.toSorted());
});

test("a task that is timed is not sent ahead: its time does not run while another blocks the event loop", async () => {
  const { client } = await stage(handlers, { ...apart, queues: { default: { concurrency: 1 } } });
  const before = enqueueMany(client, 500);
  const [blocking, ...timed] = await Promise.all([
    client.enqueue(block, 1_500),
    ...[1, 2, 3, 4].map(() => client.enqueue(timedNap, 10)),
  ]);
  await before;
  expect(await Promise.all(timed.map((handle) => handle.result()))).toEqual([1, 1, 1, 1]);
  await blocking.result();
});

test("a task with a limit of rate is not sent ahead: it counts as it begins", async () => {
  const { client } = await stage(handlers, { ...apart, queues: { default: { concurrency: 1 } } });
  const before = enqueueMany(client, 500);
  const [blocking, ...limited] = await Promise.all([
    client.enqueue(block, 800),
    ...Array.from({ length: 15 }, () => client.enqueue(paced)),
  ]);
  await before;
  const starts = (await Promise.all(limited.map((handle) => handle.result({ timeout: "20s" })))).toSorted();
  // They begin there some time after they were sent: what was sent ahead would have begun within a few milliseconds.
  for (const [index, start] of starts.slice(5).entries())
    expect(start - (starts[index] as number)).toBeGreaterThan(150);
  await blocking.result();
});

test("a stop hands back what has not begun, unspent, and another worker runs it once", async () => {
  const broker = memory();
  const first = await stage(handlers, { ...apart, broker, queues: { default: { concurrency: 5 } } });
  const ids = await enqueueMany(first.client);
  await first.seen("task.succeeded");
  await first.worker.stop();
  const done = idsOf(first.events, "task.succeeded");
  expect(done.length).toBeLessThan(many);
  const second = await stage(handlers, { ...apart, broker, queues: { default: { concurrency: 5 } }, start: false });
  const others = succeeded(second.worker, many - done.length);
  await second.worker.start();
  await others;
  const rest = second.events.filter(({ type }) => type === "task.succeeded");
  expect(idsOf([...first.events, ...rest], "task.succeeded").toSorted()).toEqual(ids.toSorted());
  expect(rest.every((event) => "attempt" in event && event.attempt === 0)).toBe(true);
});
