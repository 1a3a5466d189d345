import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceOptions, spawnProcess } from "../../processes/spawn-process.ts";
import type { ProcessMessage, SpawnedProcess } from "../../processes/spawned-process.ts";
import type { ProducerCommand, ProducerMessage, SchedulerMessage, WorkerMessage } from "./programs/messages.ts";
import { type ProgramSettings, toEnvironment } from "./programs/settings.ts";

export type WorkerProcess = SpawnedProcess<WorkerMessage>;
export type SchedulerProcess = SpawnedProcess<SchedulerMessage>;
export type ProducerProcess = SpawnedProcess<ProducerMessage>;

/** Starts the program of a worker, which says `ready` or `failed`. */
export function spawnWorker(settings: ProgramSettings): Promise<WorkerProcess> {
  return spawnProgram<WorkerMessage>("worker", settings);
}

/** Starts the program of a producer, which says `ready` or `failed`. */
export function spawnProducer(settings: ProgramSettings): Promise<ProducerProcess> {
  return spawnProgram<ProducerMessage>("producer", settings);
}

/** Starts the program of a scheduler, which says `ready` or `failed`. */
export function spawnScheduler(settings: ProgramSettings): Promise<SchedulerProcess> {
  return spawnProgram<SchedulerMessage>("scheduler", settings);
}

/** Tells a producer what to do. */
export function command(producer: ProducerProcess, what: ProducerCommand): void {
  producer.send(what);
}

// TypeScript in the repository of this package, JavaScript where it was installed.
const extension = extname(import.meta.url);

function spawnProgram<M extends ProcessMessage>(name: string, settings: ProgramSettings): Promise<SpawnedProcess<M>> {
  return spawnProcess<M>(new URL(`./programs/${name}${extension}`, import.meta.url), {
    env: toEnvironment(settings),
    nodeOptions: extension === ".ts" ? [] : sourceOptions(fileURLToPath(settings.module)),
  });
}
