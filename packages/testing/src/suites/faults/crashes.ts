import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import type { FaultScene, RunningWorker } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf, inFlightOf } from "./in-flight.ts";
import { type Orphans, type RunningLoad, startLoad, waitsOf } from "./load.ts";

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
  const load = await startLoad(scene, { count: tasks, pause });
  const kills = await killWorkers(scene, workers, load);
  await load.finished;
  const { redelivery } = await expectAllDone(scene, workers, kills);
  expect(redelivery, "milliseconds from the end of a lease to the next start of the task").toBeLessThan(
    scene.scale.redelivery,
  );
}

async function ofTheServer(scene: FaultScene): Promise<void> {
  const { tasks, pause } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const load = await startLoad(scene, { count: tasks, pause });
  const kills: Kills = { count: 0, inFlight: [], orphans: [] };
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
    kills.inFlight.push(...(await scene.repeatable({ since, until: Date.now() })));
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
  await expectAllDone(scene, [worker], { count: 1, inFlight: [], orphans: [] });
}

interface Kills {
  count: number;
  /** The tasks that were in flight at each, one after the other. */
  readonly inFlight: string[];
  readonly orphans: Orphans[];
}

/** Kills one worker, then the other, then both, and so on, each time with others in their place. */
async function killWorkers(scene: FaultScene, workers: RunningWorker[], load: RunningLoad): Promise<Kills> {
  const kills: Kills = { count: 0, inFlight: [], orphans: [] };
  for (let kill = 0; kill < scene.scale.kills.count; kill += 1) {
    await Promise.race([timeToKill(scene, kill), load.finished]);
    // A short load may be over by the time the last victim has been replaced.
    if (scene.scale.kills.every !== undefined) {
      expect(load.isFinished(), "whether all was done before the last kill").toBe(false);
    }
    const victims = kill % 3 === 2 ? [0, 1] : [kill % 3];
    const replace = async (index: number): Promise<void> => {
      const { process, historyPath } = workers[index] as RunningWorker;
      await process.kill();
      kills.count += 1;
      const killedAt = Date.now();
      const inFlight = await inFlightOf(historyPath);
      kills.inFlight.push(...inFlight);
      workers[index] = await scene.startWorker();
      const since = victims.length < workers.length ? killedAt : Date.now();
      kills.orphans.push({ tasks: inFlight, killedAt, since });
    };
    await Promise.all(victims.map(replace));
  }
  return kills;
}

async function timeToKill({ scale, executions, patience }: FaultScene, kill: number): Promise<void> {
  const { every, count } = scale.kills;
  if (every === undefined) return executions.reach((scale.tasks * (kill + 1)) / (count + 1), patience);
  await elapse(every);
  // A worker that is at work just now has more to lose.
  await executions.reach(executions.count + 1, patience);
}

async function expectAllDone(
  scene: FaultScene,
  workers: readonly RunningWorker[],
  { count, inFlight, orphans }: Kills,
): Promise<{ readonly redelivery: number }> {
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: inFlight.length });
  expectRepeatsOf(verdict, inFlight);
  expect(verdict.executed, "tasks that were executed").toBe(verdict.attempted);
  const lease = scene.capabilities.lease === "refused" ? 0 : scene.workerSettings().lease;
  const redelivery = Math.max(0, ...(await waitsOf(scene.history, orphans)).map((wait) => wait - lease));
  scene.report(verdict, {
    kills: count,
    "in flight at the kills": inFlight.length,
    ...(orphans.length > 0 && { "milliseconds from the end of a lease to the next start": redelivery }),
  });
  return { redelivery };
}
