import { ConfigurationError } from "@taskferry/core";
import type { Api } from "./api.ts";
import { apiErrors, isApiError } from "./faults.ts";

/** What is set of a stream, in JetStream's own words. Durations in nanoseconds. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: "limits" | "workqueue";
  readonly discard: "new" | "old";
  readonly storage: "file" | "memory";
  readonly num_replicas: number;
  readonly max_bytes: number;
  readonly max_age?: number;
  readonly max_msgs_per_subject?: number;
  readonly duplicate_window: number;
  readonly allow_direct?: boolean;
  readonly republish?: { readonly src: string; readonly dest: string };
}

export interface StreamInfo {
  readonly config: StreamConfig & Readonly<Record<string, unknown>>;
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
    readonly subjects?: Readonly<Record<string, number>>;
  };
}

export const nanoseconds = 1_000_000;

/**
 * Makes a stream, or takes the one that is there. `wanted` are settings that somebody gave: they are set anew where they
 * differ; all others stay as they are.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` for a stream that keeps things otherwise.
 */
export async function ensureStream(api: Api, config: StreamConfig, wanted: Partial<StreamConfig> = {}): Promise<void> {
  const found = await findStream(api, config.name);
  if (found === undefined) {
    try {
      await api.call(`STREAM.CREATE.${config.name}`, config);
    } catch (error) {
      // Made by another process in between.
      if (!isApiError(error, apiErrors.streamNameInUse)) throw error;
    }
    return;
  }
  checkKind(found.config, config);
  const changes = Object.entries(wanted).filter(([name, value]) => found.config[name] !== value);
  if (changes.length === 0) return;
  await api.call(`STREAM.UPDATE.${config.name}`, { ...found.config, ...Object.fromEntries(changes) });
}

export async function findStream(api: Api, name: string, body?: object): Promise<StreamInfo | undefined> {
  try {
    return await api.call<StreamInfo>(`STREAM.INFO.${name}`, body);
  } catch (error) {
    if (isApiError(error, apiErrors.streamNotFound)) return undefined;
    throw error;
  }
}

function checkKind(found: StreamConfig, { name, subjects, retention, discard }: StreamConfig): void {
  const has = (subject: string): boolean => found.subjects.includes(subject);
  if (found.retention === retention && found.discard === discard && subjects.every(has)) return;
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `Expected the stream ${name} to have the subjects ${subjects.join(" ")}, retention ${retention} and discard ${discard}, found ${found.subjects.join(" ")}, ${found.retention} and ${found.discard}. Choose another \`namespace\`, or remove the stream.`,
  );
}
