import { monotonicNow, type Outcome } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue, readHistory } from "../../total-queue/check-history.ts";
import type { HistoryEvent } from "../../total-queue/history-event.ts";
import { openHistory } from "../../total-queue/history-writer.ts";
import type { FaultScene, RunningWorker } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf, inFlightOf } from "./in-flight.ts";
import { spread } from "./programs/messages.ts";
import { limited, limitOfLimited } from "./programs/tasks.ts";

export const limitsTopic: FaultTopic = {
  name: "limits",
  needs: ["processes", "at-least-once", "redelivery", "delay", "state"],
  rules: [
    {
      name: "over all workers, no key has more than its limits at any time",
      check: keepsTo,
    },
    { name: "the places of a worker that is killed come free", check: survivesKill },
  ],
};

const { concurrency, rate } = limitOfLimited;
const milliseconds = [10, 50] as const;
/** For so many milliseconds a handler that was started may stand still before it says so: its process has to share cores. */
const standstill = 200;

interface Start {
  readonly key: string;
  readonly at: number;
}

async function keepsTo(scene: FaultScene): Promise<void> {
  const { keys, tasks, workers, share } = scene.scale.limits;
  const running = await Promise.all(Array.from({ length: workers }, () => scene.startWorker()));
  const began = monotonicNow();
  const outcomes = await runAll(scene, { keys, tasks });
  const took = monotonicNow() - began;
  await Promise.all(running.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ started: tasks, executed: tasks });
  const events = await readHistory(scene.history);
  expectLimits({ events, outcomes });
  const times = events.filter(({ event }) => event === "started").map(({ at }) => at);
  const seconds = (Math.max(...times) - Math.min(...times)) / 1_000;
  const allowed = keys * rate.limit;
  const reached = tasks / seconds;
  scene.report(verdict, {
    "starts a second": reached,
    "starts a second that are allowed": allowed,
    milliseconds: took,
  });
  if (share > 0) expect(reached, `starts a second, of ${allowed}`).toBeGreaterThan(share * allowed);
}

async function survivesKill(scene: FaultScene): Promise<void> {
  const { keys, tasks } = scene.scale.limits;
  const [victim, ...others] = (await Promise.all([1, 2, 3].map(() => scene.startWorker({ lease: 1_000 })))) as [
    RunningWorker,
    ...RunningWorker[],
  ];
  const finishing = runAll(scene, { keys, tasks: Math.ceil(tasks / 2) });
  await scene.executions.reach(Math.ceil(tasks / 8), scene.patience);
  await victim.process.kill();
  const killedAt = Date.now();
  const repeatable = await inFlightOf(victim.historyPath);
  const outcomes = await finishing;
  await Promise.all(others.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: repeatable.size });
  expectRepeatsOf(verdict, [...repeatable]);
  expectLimits({ events: await readHistory(scene.history), outcomes, killedAt });
  scene.report(verdict);
}

/** Enqueues tasks, key after key and again from the first, and waits for the outcome of each. */
async function runAll(
  scene: FaultScene,
  { keys, tasks }: { readonly keys: number; readonly tasks: number },
): Promise<readonly Outcome[]> {
  const client = await scene.client();
  using history = openHistory(scene.history, "client");
  const inputs = Array.from({ length: tasks }, (_, index) => ({
    id: `${index % keys}-${index}`,
    key: `${index % keys}`,
    milliseconds: spread(milliseconds, index),
  }));
  for (const { id } of inputs) history.record("attempted", id);
  const results = await client.enqueueMany(limited, inputs, { id: ({ id }) => id, queue: scene.queue });
  const handles = results.map((result) => {
    if (result.status === "refused") throw result.error;
    history.record("acknowledged", result.handle.id);
    return result.handle;
  });
  const outcomes = await Promise.all(handles.map((handle) => handle.outcome(scene.patience)));
  expect(outcomes.filter(({ status }) => status !== "succeeded")).toEqual([]);
  return outcomes;
}

interface Ran {
  readonly events: readonly HistoryEvent[];
  readonly outcomes: readonly Outcome[];
  readonly killedAt?: number;
}

/** Starts are when the worker says that they were, and about when the handlers say so. */
function expectLimits({ events, outcomes, killedAt }: Ran): void {
  expectStarts(
    outcomes.map(({ id, startedAt = 0 }) => ({ key: keyOf(id), at: startedAt })),
    rate.per,
  );
  const together = [...byKey(events, ({ id }) => keyOf(id))].map((ofKey) => mostTogether(ofKey, killedAt));
  expect(Math.max(...together), "tasks of one key that ran at once").toBeLessThanOrEqual(concurrency);
  const started = events.filter(({ event }) => event === "started");
  expectStarts(
    started.map(({ id, at }) => ({ key: keyOf(id), at })),
    rate.per - standstill,
  );
}

function expectStarts(starts: readonly Start[], span: number): void {
  const counts = [...byKey(starts, ({ key }) => key)].map((ofKey) =>
    densest(
      ofKey.map(({ at }) => at),
      span,
    ),
  );
  expect(Math.max(...counts), `tasks of one key that started within ${span} ms`).toBeLessThanOrEqual(rate.limit);
}

function keyOf(id: string): string {
  return id.slice(0, id.indexOf("-"));
}

function byKey<T>(items: readonly T[], keyOfItem: (item: T) => string): Iterable<readonly T[]> {
  const keys = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOfItem(item);
    const ofKey = keys.get(key);
    if (ofKey === undefined) keys.set(key, [item]);
    else ofKey.push(item);
  }
  return keys.values();
}

/** How many ran at once. What ended in the millisecond in which another began was over by then. */
function mostTogether(events: readonly HistoryEvent[], killedAt: number | undefined): number {
  const executed = timesOf(events, "executed");
  const started = timesOf(events, "started");
  const cut = Array.from({ length: started.length - executed.length }, () => killedAt ?? Number.POSITIVE_INFINITY);
  const changes = [
    ...started.map((at) => ({ at, by: 1 })),
    ...[...executed, ...cut].map((at) => ({ at, by: -1 })),
  ].toSorted((one, other) => one.at - other.at || one.by - other.by);
  let [now, most] = [0, 0];
  for (const { by } of changes) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

/** The most times within any span. */
function densest(times: readonly number[], span: number): number {
  const sorted = times.toSorted((one, other) => one - other);
  let [first, most] = [0, 0];
  for (const [last, time] of sorted.entries()) {
    while (time - (sorted[first] ?? time) >= span) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

function timesOf(events: readonly HistoryEvent[], name: HistoryEvent["event"]): readonly number[] {
  return events.filter(({ event }) => event === name).map(({ at }) => at);
}
