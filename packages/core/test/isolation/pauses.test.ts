import { access, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { memory } from "../../src/index.ts";
import { eventually, type Stage, stage } from "../worker/setup.ts";
import { blocked, held, heldInThread, swift } from "./fixtures/held-tasks.ts";
import { type Holder, hold } from "./fixtures/holder.ts";

const handlers = [new URL("./fixtures/held-handlers.ts", import.meta.url)];
const apart = { isolation: { loop: "apart" as const }, queues: { default: { concurrency: 1 } } };

function idsOf(queue: string): readonly [string, ...string[]] {
  return [`${queue}-0`, ...[1, 2, 3, 4, 5].map((number) => `${queue}-${number}`)];
}

// Only the clock by which a worker counts how many it may send ahead, and by which tasks age.
beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

type Send = (id: string, queue: string) => Promise<unknown>;

/** Resolves once the tasks of each queue are sent, all but the first ahead of free slots. */
async function sendAhead(here: Stage, queues: readonly string[], send: Send): Promise<void> {
  const { client } = here;
  const short = queues.flatMap((queue) =>
    Array.from({ length: 20 }, () => client.enqueue(swift, undefined, { queue })),
  );
  for (const handle of await Promise.all(short)) await handle.result();
  vi.advanceTimersByTime(20);
  await Promise.all(queues.flatMap((queue) => idsOf(queue).map((id) => send(id, queue))));
  await seenAll(here, "task.started", queues.flatMap(idsOf));
}

function sendHeld({ client }: Stage, { port }: Holder): Send {
  return (id, queue) => client.enqueue(held, { port, name: id }, { queue, id });
}

async function seenAll(
  { seen }: Pick<Stage, "seen">,
  type: "task.started" | "task.succeeded",
  ids: readonly string[],
): Promise<void> {
  await Promise.all(ids.map((wanted) => seen(type, ({ id }) => id === wanted)));
}

/** Pauses a queue, and resolves once its worker has handed back these tasks. */
async function pause({ client, seen, events }: Stage, queue: string, ids: readonly string[]): Promise<void> {
  const earlier = new Set<unknown>(events);
  await client.queues.pause(queue);
  await Promise.all(ids.map((id) => seen("task.released", (event) => event.id === id && !earlier.has(event))));
}

test("a pause hands back at once what was sent ahead, which runs once when the queue is resumed", async () => {
  const holder = await hold();
  const here = await stage(handlers, apart);
  await sendAhead(here, ["default"], sendHeld(here, holder));
  const [first, ...ahead] = idsOf("default");
  await holder.began(1);
  await pause(here, "default", ahead);
  holder.letGo();
  await seenAll(here, "task.succeeded", [first]);
  expect(await here.client.queues.depth("default")).toMatchObject({ ready: ahead.length, running: 0 });
  expect(holder.begun).toEqual([first]);
  await here.client.queues.resume("default");
  await seenAll(here, "task.succeeded", ahead);
  expect(holder.begun).toEqual([first, ...ahead]);
  const received = here.events.filter((event) => event.type === "task.received");
  expect(received.every(({ deliveryCount, attempt }) => deliveryCount === 1 && attempt === 0)).toBe(true);
});

test("what a pause has handed back may run in another worker", async () => {
  const holder = await hold();
  const broker = memory();
  const here = await stage(handlers, { ...apart, broker });
  await sendAhead(here, ["default"], sendHeld(here, holder));
  const [first, ...ahead] = idsOf("default");
  await holder.began(1);
  await pause(here, "default", ahead);
  holder.letGo();
  await here.worker.stop();
  const other = await stage(handlers, { ...apart, broker });
  await here.client.queues.resume("default");
  await seenAll(other, "task.succeeded", ahead);
  expect(holder.begun).toEqual([first, ...ahead]);
});

test("a pause leaves alone what was sent ahead of another queue", async () => {
  const holder = await hold();
  const queues = { paused: { concurrency: 1 }, other: { concurrency: 1 } };
  const here = await stage(handlers, { ...apart, queues });
  await sendAhead(here, ["paused", "other"], sendHeld(here, holder));
  await holder.began(2);
  const [first, ...ahead] = idsOf("paused");
  const earlier = here.events.length;
  await pause(here, "paused", ahead);
  holder.letGo((name) => name !== first);
  await seenAll(here, "task.succeeded", idsOf("other"));
  const released = here.events.slice(earlier).filter((event) => event.type === "task.released");
  expect(released.map(({ id }) => id).toSorted()).toEqual(ahead);
  expect(holder.begun.toSorted()).toEqual([...idsOf("other"), first]);
  holder.letGo();
  await seenAll(here, "task.succeeded", [first]);
});

test("a pause that came while a handler blocked its event loop is heard before another begins", async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-pauses-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const here = await stage([new URL("./fixtures/blocked-handlers.ts", import.meta.url)], apart);
  await sendAhead(here, ["default"], (id, queue) => here.client.enqueue(blocked, { folder, name: id }, { queue, id }));
  const [first, ...ahead] = idsOf("default");
  await eventually(() => access(join(folder, first)));
  const released = pause(here, "default", ahead);
  await here.seen("queue.paused");
  // The worker tells the handlers' process at the end of its turn.
  await turn();
  await turn();
  await writeFile(join(folder, "go"), "");
  await released;
  await seenAll(here, "task.succeeded", [first]);
  expect(await readdir(folder)).toEqual([first, "go"]);
  await here.client.queues.resume("default");
  await seenAll(here, "task.succeeded", ahead);
});

test("a pause hands back what waits for a thread", async () => {
  const holder = await hold();
  const inThread = new URL("./fixtures/held-in-thread.ts", import.meta.url);
  const here = await stage([inThread], { isolation: { threads: 1 } });
  const [first, next] = ["first", "next"];
  await here.client.enqueue(heldInThread, { port: holder.port, name: first }, { id: first });
  await holder.began(1);
  await here.client.enqueue(heldInThread, { port: holder.port, name: next }, { id: next });
  await seenAll(here, "task.started", [next]);
  await pause(here, "default", [next]);
  holder.letGo();
  await seenAll(here, "task.succeeded", [first]);
  expect(holder.begun).toEqual([first]);
  await here.client.queues.resume("default");
  await seenAll(here, "task.succeeded", [next]);
  expect(holder.begun).toEqual([first, next]);
});
