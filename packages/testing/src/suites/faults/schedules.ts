import { expect } from "vitest";
import { readHistory } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { spread } from "./programs/messages.ts";
import type { SchedulerProcess } from "./programs.ts";

export const schedulesTopic: FaultTopic = {
  name: "schedules",
  needs: ["processes", "state", "at-least-once", "redelivery"],
  rules: [
    {
      name: "of three schedulers, of which some are killed or stand still, fire once in each second",
      check: everySecond,
    },
    { name: "that nobody could fire for a while are made up for once they can", check: afterAnAbsence },
  ],
};

const second = 1_000;
/** Milliseconds of the schedule's grace. */
const grace = 30_000;

async function everySecond(scene: FaultScene): Promise<void> {
  const { seconds, pause } = scene.scale.schedules;
  const worker = await scene.startWorker();
  const schedulers = await Promise.all([scene.startScheduler(), scene.startScheduler(), scene.startScheduler()]);
  const since = nextSecond();
  const until = since + (seconds - 1) * second;
  // A look ahead: the faults end before the seconds do.
  for (let round = 0; Date.now() + pause + second < until; round += 1) {
    await elapse(spread([100, 1_500], round));
    await disturb(scene, schedulers, { round, pause });
  }
  await elapse(until + second - Date.now());
  await Promise.all(schedulers.map((scheduler) => stop(scheduler)));
  const delays = await expectEachOnce(scene, { since, until });
  await scene.expectDepth({ dead: 0 });
  await scene.stopWorker(worker);
  scene.tellFigures({ "fires checked": delays.length, "milliseconds late at most": Math.max(...delays) });
}

/** One is killed and another takes its place, or one stands still, in turn. */
async function disturb(
  scene: FaultScene,
  schedulers: SchedulerProcess[],
  { round, pause }: { readonly round: number; readonly pause: number },
): Promise<void> {
  const index = round % schedulers.length;
  const scheduler = schedulers[index];
  if (round % 2 === 0) {
    await scheduler?.pause();
    await elapse(pause);
    scheduler?.resume();
  } else {
    await scheduler?.kill();
    schedulers[index] = await scene.startScheduler();
  }
}

async function afterAnAbsence(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const first = await scene.startScheduler();
  const since = nextSecond();
  await scene.executions.reach(1, scene.patience);
  await first.kill();
  await elapse(scene.scale.schedules.pause);
  const others = await Promise.all([scene.startScheduler(), scene.startScheduler()]);
  const until = nextSecond();
  await elapse(until + second - Date.now());
  await Promise.all(others.map((scheduler) => stop(scheduler)));
  await expectEachOnce(scene, { since, until });
  await scene.stopWorker(worker);
}

function nextSecond(): number {
  return (Math.floor(Date.now() / second) + 1) * second;
}

async function stop(scheduler: SchedulerProcess): Promise<void> {
  expect(await scheduler.stop(), "how the scheduler ended").toEqual({ code: 0, signal: null });
}

/** Every nominal second has exactly one execution, within the grace. Answers how late each was. */
async function expectEachOnce(
  scene: FaultScene,
  { since, until }: { readonly since: number; readonly until: number },
): Promise<readonly number[]> {
  const wanted: number[] = [];
  for (let time = since; time <= until; time += second) wanted.push(time);
  const limit = Date.now() + scene.scale.patience;
  for (;;) {
    const executed = (await readHistory(scene.history)).filter(({ event }) => event === "executed");
    const times = executed.map(({ id }) => Number(id.split(":").at(-1)));
    const missing = wanted.filter((time) => !times.includes(time));
    if (missing.length > 0 && Date.now() < limit) {
      await elapse(50);
      continue;
    }
    expect(missing, "nominal seconds without an execution").toEqual([]);
    expect(
      times.filter((time, index) => times.indexOf(time) !== index),
      "nominal seconds that were executed again",
    ).toEqual([]);
    const delays = executed
      .map(({ at }, index) => ({ late: at - (times[index] ?? 0), time: times[index] ?? 0 }))
      .filter(({ time }) => time >= since && time <= until);
    expect(Math.max(...delays.map(({ late }) => late)), "how late").toBeLessThan(grace);
    expect(Math.min(...delays.map(({ late }) => late)), "how early").toBeGreaterThanOrEqual(0);
    return delays.map(({ late }) => late);
  }
}
