import type { Configure, FaultPlace } from "../fault-place.ts";

/** What every program of a test is told. */
export interface ProgramSettings {
  /** The URL of the module that exports `configure`. */
  readonly module: string;
  readonly place: FaultPlace;
  /** The directory of the history. */
  readonly history: string;
  readonly queue: string;
  /** Milliseconds for which a server may be away when the program starts. */
  readonly startTimeout: number;
}

export interface WorkerSettings extends ProgramSettings {
  readonly concurrency: number;
  /** Milliseconds. */
  readonly lease: number;
  readonly maxDeliveries: number;
  readonly maxBodyBytes: number;
  /** Sends every event of the worker to the test. */
  readonly tellsEvents: boolean;
}

export interface ProducerSettings extends ProgramSettings {
  /** Milliseconds. */
  readonly publishTimeout: number;
}

const variable = "TASKFERRY_FAULTS";

export function toEnvironment(settings: ProgramSettings): Readonly<Record<string, string>> {
  return { [variable]: JSON.stringify(settings) };
}

export function readSettings<TSettings extends ProgramSettings>(): TSettings {
  const text = process.env[variable];
  if (text === undefined) throw new Error(`Expected the settings in ${variable}: testFaults starts this program.`);
  return JSON.parse(text) as TSettings;
}

export async function loadConfigure(module: string): Promise<Configure> {
  const { configure } = (await import(module)) as { readonly configure?: unknown };
  if (typeof configure === "function") return configure as Configure;
  throw new Error(`Expected ${module} to export a function "configure", got ${typeof configure}.`);
}
