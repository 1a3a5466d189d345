import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import type { FaultScene, RunningWorker } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf, inFlightBetween, inFlightOf } from "./in-flight.ts";

export const crashesTopic: FaultTopic = {
  name: "crash",
  needs: ["processes", "at-least-once", "redelivery"],
  rules: [
    { name: "of workers loses nothing, and repeats no more than was in flight", check: ofWorkers },
    {
      name: "of the server, and its stop in good order, lose nothing, and repeat no more than was in flight",
      needs: ["server"],
      check: ofTheServer,
    },
    { name: "of a producer, which then enqueues all again, doubles nothing", needs: ["dedupe"], check: ofAProducer },
  ],
};

async function ofWorkers(scene: FaultScene): Promise<void> {
  const { tasks, pause } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const load = await startLoad(scene, pause, tasks);
  const kills = await killWorkers(scene, workers, load);
  await load.finished;
  await expectAllDone(scene, workers, kills);
}

async function ofTheServer(scene: FaultScene): Promise<void> {
  const { tasks, pause } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const load = await startLoad(scene, pause, tasks);
  const kills: Kills = { count: 0, inFlight: [] };
  for (const [share, end] of [
    [1 / 3, "stop"],
    [1 / 2, "kill"],
    [2 / 3, "kill"],
  ] as const) {
    await scene.executions.reach(tasks * share, scene.patience);
    const since = Date.now();
    await scene.server[end]();
    await scene.server.start();
    kills.count += 1;
    kills.inFlight.push(...(await inFlightBetween(scene.history, { since, until: Date.now() })));
  }
  await load.finished;
  await expectAllDone(scene, workers, kills);
}

async function ofAProducer(scene: FaultScene): Promise<void> {
  const count = scene.scale.tasks / 5;
  const load = { prefix: "task", count, inFlight: 5 };
  const worker = await scene.startWorker();
  const first = await scene.startProducer();
  scene.produce(first, load);
  await scene.executions.reach(count / 3, scene.patience);
  await first.kill();
  await scene.produce(await scene.startProducer(), load).finished;
  await expectAllDone(scene, [worker], { count: 1, inFlight: [] });
}

interface Kills {
  count: number;
  /** The tasks that were in flight at each, one after the other. */
  readonly inFlight: string[];
}

interface RunningLoad {
  readonly finished: Promise<unknown>;
  /** Whether all of it has an outcome. */
  readonly isFinished: () => boolean;
}

/** Two producers that share a load. */
async function startLoad(scene: FaultScene, pause: number, count: number): Promise<RunningLoad> {
  const producers = await Promise.all([scene.startProducer(), scene.startProducer()]);
  let isFinished = false;
  const loads = producers.map((producer, index) => {
    const load = { prefix: `producer-${index}`, count: count / producers.length, pause };
    return scene.produce(producer, load).finished;
  });
  const finished = Promise.all(loads).then(() => {
    isFinished = true;
  });
  finished.catch(() => undefined);
  return { finished, isFinished: () => isFinished };
}

/** Kills one worker, then the other, then both, and so on, each time with others in their place. */
async function killWorkers(scene: FaultScene, workers: RunningWorker[], load: RunningLoad): Promise<Kills> {
  const kills: Kills = { count: 0, inFlight: [] };
  for (let kill = 0; await isTimeToKill(scene, kill, load); kill += 1) {
    const victims = kill % 3 === 2 ? [0, 1] : [kill % 3];
    const replace = async (index: number): Promise<void> => {
      const { process, historyPath } = workers[index] as RunningWorker;
      await process.kill();
      kills.count += 1;
      kills.inFlight.push(...(await inFlightOf(historyPath)));
      workers[index] = await scene.startWorker();
    };
    await Promise.all(victims.map(replace));
  }
  return kills;
}

async function isTimeToKill(scene: FaultScene, kill: number, load: RunningLoad): Promise<boolean> {
  const { scale, executions, patience } = scene;
  if ("every" in scale.kills) {
    await Promise.race([elapse(scale.kills.every), load.finished]);
    // A worker that is at work just now has more to lose.
    await Promise.race([executions.reach(executions.count + 1, patience), load.finished]);
    return !load.isFinished();
  }
  if (kill === scale.kills.count) return false;
  await executions.reach((scale.tasks * (kill + 1)) / (scale.kills.count + 1), patience);
  return true;
}

async function expectAllDone(
  scene: FaultScene,
  workers: readonly RunningWorker[],
  { count, inFlight }: Kills,
): Promise<void> {
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: inFlight.length });
  expectRepeatsOf(verdict, inFlight);
  expect(verdict.executed, "tasks that were executed").toBe(verdict.attempted);
  scene.report(verdict, { kills: count, "in flight at the kills": inFlight.length });
}
