import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import { type FaultScene, startLimit } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf } from "./in-flight.ts";
import { resumedAfter, startLoad } from "./load.ts";
import { type ProducerProcess, spawnProducer, spawnWorker, type WorkerProcess } from "./programs.ts";

export const outagesTopic: FaultTopic = {
  name: "outage",
  needs: ["processes", "server", "at-least-once"],
  rules: [
    { name: "idle workers and producers resume within 10 seconds of its end", check: idleResume },
    { name: "a call ends at its timeout, or succeeds when the server is back", check: callsEnd },
    { name: "a program that starts meanwhile says BROKER_UNAVAILABLE and ends", check: startFails },
    { name: "a program that starts meanwhile and may wait works within 10 seconds of its end", check: startWaits },
    {
      name: "busy workers and producers resume within 10 seconds of its end, and lose nothing",
      needs: ["redelivery", "soak"],
      check: busyResume,
    },
  ],
};

/** Milliseconds from the end of an outage to the result of the next task, at most. */
export const resumeLimit = 10_000;

async function idleResume(scene: FaultScene): Promise<void> {
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const producers = await Promise.all([scene.startProducer(), scene.startProducer()]);
  await allFinish(scene, producers, "before");
  await scene.server.kill();
  await elapse(scene.scale.away);
  await scene.server.start();
  const since = monotonicNow();
  await allFinish(scene, producers, "after");
  const resumed = monotonicNow() - since;
  expect(resumed, "milliseconds from the return of the server to the results of all producers").toBeLessThan(
    resumeLimit,
  );
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  scene.report(await assertTotalQueue(scene.history, { repeats: 0 }), { "milliseconds to resume": resumed });
}

async function allFinish(scene: FaultScene, producers: readonly ProducerProcess[], prefix: string): Promise<void> {
  const loads = producers.map((producer, index) => scene.produce(producer, { prefix: `${prefix}-${index}`, count: 5 }));
  await Promise.all(loads.map(({ finished }) => finished));
}

/** The server is killed under load, and stays away. Each of the processes is to go on, not only some. */
async function busyResume(scene: FaultScene): Promise<void> {
  const { tasks, pause, away } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const load = await startLoad(scene, { count: tasks, pause });
  await scene.executions.reach(tasks / 3, scene.patience);
  const since = Date.now();
  await scene.server.kill();
  await elapse(away);
  await scene.server.start();
  const back = Date.now();
  const repeatable = await scene.repeatable({ since, until: back });
  await load.finished;
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: repeatable.length });
  expectRepeatsOf(verdict, repeatable);
  const resumed = await resumedAfter(scene.history, back);
  expect(resumed, "milliseconds from its return to the next step of each process").toHaveLength(4);
  expect(Math.max(...resumed), "milliseconds from its return to the next step of the last").toBeLessThan(resumeLimit);
  scene.report(verdict, { "milliseconds to resume": Math.max(...resumed) });
}

const publishTimeout = 1_000;

async function callsEnd(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const [hasty, patient] = await Promise.all([scene.startProducer({ publishTimeout }), scene.startProducer()]);
  await scene.server.kill();
  const count = 20;
  const hurried = scene.produce(hasty, { prefix: "hasty", count, inFlight: count, isStubborn: false });
  const waited = scene.produce(patient, { prefix: "patient", count });
  const report = await hurried.enqueued;
  expect(report.rejections, "codes of the calls that could not wait").toEqual(
    Array.from({ length: count }, () => "BROKER_UNAVAILABLE"),
  );
  expect(report.longest, "milliseconds of the longest call").toBeLessThan(4 * publishTimeout);
  await scene.server.start();
  expect((await waited.enqueued).rejections, "codes of the calls that could wait").toEqual([]);
  await waited.finished;
  await scene.stopWorker(worker);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  expect(verdict).toMatchObject({ acknowledged: count, unknown: count });
}

async function startFails(scene: FaultScene): Promise<void> {
  await scene.server.kill();
  const programs: readonly (WorkerProcess | ProducerProcess)[] = await Promise.all([
    spawnWorker(scene.workerSettings({ startTimeout: 0 })),
    spawnProducer(scene.producerSettings({ startTimeout: 0 })),
  ]);
  for (const program of programs) {
    scene.adopt(program);
    const { code, message } = await (program as WorkerProcess).waitFor("failed", { timeout: startLimit });
    expect({ code, message }).toEqual({
      code: "BROKER_UNAVAILABLE",
      message: expect.stringContaining(scene.place.url ? "127.0.0.1" : ""),
    });
    expect(await program.exited).toEqual({ code: 1, signal: null });
  }
}

async function startWaits(scene: FaultScene): Promise<void> {
  await scene.server.kill();
  const startTimeout = scene.scale.away + startLimit;
  const starting = Promise.all([scene.startWorker({ startTimeout }), scene.startProducer({ startTimeout })]);
  await Promise.race([starting, elapse(scene.scale.away)]);
  await scene.server.start();
  const since = monotonicNow();
  const [worker, producer] = await starting;
  await scene.produce(producer, { prefix: "task", count: 5 }).finished;
  expect(monotonicNow() - since, "milliseconds from the return of the server to all results").toBeLessThan(resumeLimit);
  await scene.stopWorker(worker);
  await assertTotalQueue(scene.history, { repeats: 0 });
}
