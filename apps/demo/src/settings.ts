import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** This application's folder, the same for the sources and for what they are compiled to. */
export const appFolder = fileURLToPath(new URL(import.meta.url.includes("/dist/") ? "../../" : "../", import.meta.url));
export const publicFolder = join(appFolder, "public");
const ignoredFolder = join(appFolder, ".taskferry");
export const drawnSamples = join(ignoredFolder, "samples");

/** What the launcher tells its processes through the environment. */
export interface Settings {
  /** Uploads and thumbnails. The web process and the worker both read and write here. */
  readonly dataFolder: string;
  /** Pictures that the page offers. Absent in the environment: those that the launcher draws. */
  readonly samplesFolder: string;
  readonly host: string;
  /** Absent: {@link preferredPort}, or any free one when that is taken. */
  readonly port: number | undefined;
  /** Says what each process does, task by task. */
  readonly isVerbose: boolean;
}

export const preferredPort = 4400;

export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  return {
    dataFolder: resolve(appFolder, env.TASKFERRY_DEMO_DATA || join(ignoredFolder, "pictures")),
    samplesFolder: resolve(appFolder, env.TASKFERRY_DEMO_SAMPLES || drawnSamples),
    host: env.TASKFERRY_DEMO_HOST || "127.0.0.1",
    port: env.TASKFERRY_DEMO_PORT ? Number(env.TASKFERRY_DEMO_PORT) : undefined,
    isVerbose: env.TASKFERRY_DEMO_VERBOSE === "1",
  };
}

export function toEnvironment({ dataFolder, samplesFolder, host, port, isVerbose }: Settings): NodeJS.ProcessEnv {
  return {
    TASKFERRY_DEMO_DATA: dataFolder,
    TASKFERRY_DEMO_SAMPLES: samplesFolder,
    TASKFERRY_DEMO_HOST: host,
    TASKFERRY_DEMO_PORT: port === undefined ? "" : String(port),
    TASKFERRY_DEMO_VERBOSE: isVerbose ? "1" : "",
  };
}
