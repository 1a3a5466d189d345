import { expect } from "vitest";
import { assertTotalQueue, readHistory } from "../../total-queue/check-history.ts";
import type { HistoryEvent, HistoryEventName } from "../../total-queue/history-event.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { spread } from "./programs/messages.ts";

export const delaysTopic: FaultTopic = {
  name: "delay",
  needs: ["processes", "at-least-once", "delay"],
  rules: [{ name: "of many tasks at once: none starts early, and 99 of 100 start in time", check: inTime }],
};

const prefix = "delayed";
/** Milliseconds that half of the starts may be late beside the resolution of the broker. */
const slack = 1_000;

async function inTime(scene: FaultScene): Promise<void> {
  const { count, over, late: latest } = scene.scale.delays;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const producer = await scene.startProducer();
  const delays = [over / 10, over] as const;
  const load = scene.produce(producer, { prefix, count, inFlight: 200, milliseconds: [0, 1], delays });
  await load.finished;
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ acknowledged: count, executed: count });

  const events = await readHistory(scene.history);
  const [attempted, acknowledged, started] = [
    timesOf(events, "attempted"),
    timesOf(events, "acknowledged"),
    timesOf(events, "started"),
  ];
  const tasks = Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${index}`,
    delay: spread(delays, index),
  }));
  const early = tasks.filter(({ id, delay }) => (started.get(id) ?? 0) < (attempted.get(id) ?? 0) + delay);
  expect(early, "tasks that started before their delay had passed").toEqual([]);
  const lateness = tasks
    .map(({ id, delay }) => (started.get(id) ?? 0) - (acknowledged.get(id) ?? 0) - delay)
    .toSorted((one, other) => one - other);
  const lateAtMost = (share: number): number => lateness[Math.floor(share * (count - 1))] ?? 0;
  const { delayResolution } = scene.capabilities;
  const [median, late] = [lateAtMost(0.5), lateAtMost(0.99)];
  expect(median, "milliseconds that half of the tasks were late at most").toBeLessThan(delayResolution + slack);
  expect(late, "milliseconds that 99 of 100 tasks were late at most").toBeLessThan(delayResolution + latest);
  scene.report(verdict, { "median milliseconds late": median, "99 of 100": late });
}

function timesOf(events: readonly HistoryEvent[], name: HistoryEventName): ReadonlyMap<string, number> {
  return new Map(events.filter(({ event }) => event === name).map(({ id, at }) => [id, at]));
}
