import { monotonicNow } from "@taskferry/core";
import { expect } from "vitest";
import { assertTotalQueue } from "../../total-queue/check-history.ts";
import { elapse } from "../patience.ts";
import type { FaultScene } from "./fault-scene.ts";
import type { FaultTopic } from "./fault-topic.ts";
import { expectRepeatsOf } from "./in-flight.ts";
import { resumedAfter } from "./load.ts";
import { spawnProducer, spawnWorker } from "./programs.ts";

export const halfOpenTopic: FaultTopic = {
  name: "frozen connection",
  needs: ["processes", "server", "at-least-once", "redelivery"],
  rules: [
    { name: "of idle workers and producers is given up, and they resume", check: whileIdle },
    {
      name: "of idle workers and producers is given up while nothing is done, and they end when told to",
      check: whileAsleep,
    },
    {
      name: "of workers and producers that start is given up, and they work over a new one and end when told to",
      check: atStart,
    },
    { name: "of workers and producers that connect anew keeps none of them from ending", check: whileReconnecting },
    { name: "of busy workers and producers is given up, and they resume and lose nothing", check: whileBusy },
    {
      name: "and new ones that freeze too: calls end in time, reconnects back off, and all resume",
      needs: ["soak"],
      check: allOfThem,
    },
  ],
};

/** Milliseconds within which a connection that says nothing is given up, and its work goes on over a new one. */
const resumeLimit = 20_000;

/** Milliseconds within which a dead connection is replaced that nobody uses. */
const detectionLimit = 30_000;

/** The connections of worker and producer are never closed, and never say a word again. */
async function whileIdle(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const producer = await scene.startProducer();
  await scene.produce(producer, { prefix: "before", count: 5 }).finished;
  scene.proxy.abandon();
  const since = monotonicNow();
  await scene.produce(producer, { prefix: "after", count: 5 }).finished;
  const resumed = monotonicNow() - since;
  expect(resumed, "milliseconds to the results of what was enqueued after").toBeLessThan(resumeLimit);
  await scene.stopWorker(worker);
  const verdict = await assertTotalQueue(scene.history, { repeats: 0 });
  scene.report(verdict, { "milliseconds to resume": resumed });
}

/** Each connection is replaced without a task that would show that it is dead, and keeps no process from ending. */
async function whileAsleep(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const producer = await scene.startProducer();
  await scene.produce(producer, { prefix: "before", count: 5 }).finished;
  const { open, total } = scene.proxy.counts.connections;
  const replaced = scene.proxy.waitFor("connection", {
    match: ({ connection }) => connection >= total + open,
    timeout: detectionLimit,
  });
  scene.proxy.abandon();
  const since = monotonicNow();
  await replaced;
  const detected = monotonicNow() - since;
  await Promise.all([scene.stopWorker(worker), scene.endProducer(producer)]);
  scene.tellFigures({ "milliseconds to detect": detected });
}

/** The first attempts to connect are taken and not answered, until they have been given up: what comes then is too late. */
async function atStart(scene: FaultScene): Promise<void> {
  const startTimeout = scene.scale.patience;
  scene.proxy.use("freeze");
  const process = await spawnWorker(scene.workerSettings({ startTimeout }));
  scene.adopt(process);
  const producer = await spawnProducer(scene.producerSettings({ startTimeout }));
  scene.adopt(producer);
  await Promise.all([process, producer].map((program) => program.waitForOutput(/trying again/, scene.patience)));
  scene.proxy.use("pass");
  const [{ historyPath }] = await Promise.all([
    process.waitFor("ready", scene.patience),
    producer.waitFor("ready", scene.patience),
  ]);
  await scene.produce(producer, { prefix: "task", count: 5 }).finished;
  await Promise.all([scene.stopWorker({ process, historyPath }), scene.endProducer(producer)]);
  await assertTotalQueue(scene.history, { repeats: 0 });
}

/** They end while what they connect to says nothing. A worker that has something to settle would wait for it. */
async function whileReconnecting(scene: FaultScene): Promise<void> {
  const worker = await scene.startWorker();
  const producer = await scene.startProducer();
  await scene.produce(producer, { prefix: "before", count: 5 }).finished;
  await scene.expectDepth({ dead: 0 });
  const { open, total } = scene.proxy.counts.connections;
  const retaken = scene.proxy.waitFor("connection", {
    match: ({ connection }) => connection >= total + open,
    ...scene.patience,
  });
  scene.proxy.use("freeze");
  scene.proxy.reset();
  await retaken;
  await Promise.all([scene.stopWorker(worker), scene.endProducer(producer)]);
  await assertTotalQueue(scene.history, { repeats: 0 });
}

async function whileBusy(scene: FaultScene): Promise<void> {
  const count = 600;
  const concurrency = 20;
  const workers = await Promise.all([1, 2].map(() => scene.startWorker({ concurrency })));
  const load = scene.produce(await scene.startProducer(), { prefix: "task", count });
  await scene.executions.reach(count / 3, scene.patience);
  const since = Date.now();
  scene.proxy.abandon();
  const inFlight = await scene.repeatable({ since, until: since });
  await load.finished;
  const resumed = Date.now() - since;
  expect(resumed, "milliseconds until all was done").toBeLessThan(resumeLimit);
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: inFlight.length });
  expectRepeatsOf(verdict, inFlight);
  expect(verdict).toMatchObject({ acknowledged: count, executed: count });
  scene.report(verdict, { "milliseconds to resume": resumed });
}

const publishTimeout = 1_000;
/** Attempts to connect that one process may make in a second, over all its connections. */
const attempts = 2;

/** Whatever connects meanwhile is taken and never answered. */
async function allOfThem(scene: FaultScene): Promise<void> {
  const { away } = scene.scale;
  const workers = await Promise.all([scene.startWorker(), scene.startWorker()]);
  const [hasty, patient] = await Promise.all([scene.startProducer({ publishTimeout }), scene.startProducer()]);
  const pause = 100;
  const count = Math.ceil((10 * (away + 10_000)) / pause);
  const lasting = scene.produce(patient, { prefix: "patient", count, pause });
  await scene.executions.reach(50, scene.patience);
  const before = scene.proxy.counts.connections.total;
  const since = Date.now();
  scene.proxy.use("freeze");
  const hurried = scene.produce(hasty, { prefix: "hasty", count: 20, inFlight: 20, isStubborn: false });
  const report = await hurried.enqueued;
  expect(report.longest, "milliseconds of the longest call").toBeLessThan(4 * publishTimeout);
  await elapse(away - (Date.now() - since));
  const tried = scene.proxy.counts.connections.total - before;
  expect(tried, "attempts to connect of four processes").toBeLessThan((4 * attempts * away) / 1_000);
  // What was held back must not come late: the network is whole again for new connections alone.
  scene.proxy.reset();
  scene.proxy.use("pass");
  const back = Date.now();
  const repeatable = await scene.repeatable({ since, until: back });
  await Promise.all([lasting.finished, hurried.finished]);
  await scene.expectDepth({ dead: 0 });
  await Promise.all(workers.map((worker) => scene.stopWorker(worker)));
  const verdict = await assertTotalQueue(scene.history, { repeats: repeatable.length });
  expectRepeatsOf(verdict, repeatable);
  const resumed = (await resumedAfter(scene.history, back)).filter(Number.isFinite);
  expect(Math.max(...resumed), "milliseconds to the next step of the last").toBeLessThan(resumeLimit);
  scene.report(verdict, { "attempts to connect": tried, "milliseconds to resume": Math.max(...resumed) });
}
