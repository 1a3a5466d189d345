import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { workerHeapOptions } from "@taskferry/core";
import type { Measurement, Order, PhaseName } from "./measure.ts";
import { openMedium } from "./media.ts";
import { subjects } from "./subjects.ts";

export interface PlanOptions {
  readonly rounds: number;
  /** Tasks of a throughput phase, and round trips of a latency phase. */
  readonly tasks: number;
  readonly roundTrips: number;
  /** Tasks that wait besides while `process` is measured. */
  readonly backlog: number;
  readonly only: readonly string[];
}

export interface Sample extends Measurement {
  readonly subject: string;
  readonly phase: PhaseName;
  readonly count: number;
  /** CPU of the server meanwhile; `undefined` without one. */
  readonly serverCpuMilliseconds: number | undefined;
}

const payload = { text: "x".repeat(188) };
const phases: readonly PhaseName[] = ["enqueueOne", "enqueueMany", "process", "roundTrip"];

/** Runs all phases of all subjects in turn, round by round, so that a noisy moment hits no subject alone. */
export async function runPlan(
  { rounds, tasks, roundTrips, backlog, only }: PlanOptions,
  onSample: (sample: Sample, round: number) => void,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of Object.keys(subjects).filter((subject) => only.length === 0 || only.includes(subject))) {
      const medium = await openMedium(subjects[name]?.medium);
      for (const phase of phases.filter((phase) => subjects[name]?.subject[phase] !== undefined)) {
        const count = phase === "roundTrip" ? roundTrips : tasks;
        // What `process` runs is what `enqueueMany` has just enqueued; every other phase starts from nothing.
        if (phase !== "process") await medium.clear();
        const url = medium.url.replace(/^[a-z]+:/, (own) => subjects[name]?.scheme ?? own);
        const setting = { url, count, inFlight: 1_000, concurrency: 100, payload };
        if (phase === "process" && backlog > 0) {
          await measureApart({ subject: name, phase: "enqueueMany", setting: { ...setting, count: backlog } });
        }
        const before = await medium.serverCpu();
        const measurement = await measureApart({ subject: name, phase, setting });
        const after = await medium.serverCpu();
        const serverCpuMilliseconds = before === undefined || after === undefined ? undefined : after - before;
        const sample = { subject: name, phase, count, ...measurement, serverCpuMilliseconds };
        samples.push(sample);
        onSample(sample, round);
      }
      await medium.close();
    }
  }
  return samples;
}

function measureApart(order: Order): Promise<Measurement> {
  const child = fork(fileURLToPath(new URL("./measuring-process.js", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    // As `taskferry worker` starts its processes; the peers and the raw clients gain by it as well.
    execArgv: [...process.execArgv, ...workerHeapOptions()],
  });
  child.send(order);
  return new Promise((resolve, reject) => {
    child.once("message", ({ measurement, error }: { readonly measurement?: Measurement; readonly error?: string }) =>
      measurement === undefined
        ? reject(new Error(`${order.subject}, ${order.phase}: ${error}`))
        : resolve(measurement),
    );
    child.once("exit", (code, signal) =>
      reject(
        new Error(
          `${order.subject}, ${order.phase}: the measuring process ended with ${signal ?? code} and without an answer`,
        ),
      ),
    );
  });
}
