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
  /** Of the subjects, where they were asked for. */
  readonly total?: number;
}

/** Whether a stream has limits of its own, beyond which it refuses messages or throws them away. */
export function hasLimits(config: StreamInfo["config"]): boolean {
  const limits = [config.max_bytes, config.max_age, config.max_msgs_per_subject, config["max_msgs"]];
  return limits.some((limit) => typeof limit === "number" && limit > 0);
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
  checkKind(found.config, config, wanted);
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

/** How many messages each of the subjects has that a filter fits. A server tells so many subjects at a time and no more. */
export async function countSubjects(api: Api, stream: string, filter: string): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (let offset = 0; ; ) {
    const info = await findStream(api, stream, { subjects_filter: filter, offset });
    const page = Object.entries(info?.state.subjects ?? {});
    for (const [subject, count] of page) counts.set(subject, count);
    offset += page.length;
    if (page.length === 0 || offset >= (info?.total ?? 0)) return counts;
  }
}

function checkKind(found: StreamInfo["config"], config: StreamConfig, wanted: Partial<StreamConfig>): void {
  const { name, subjects, retention, discard } = config;
  const has = (subject: string): boolean => found.subjects.includes(subject);
  // A stream with schedules can only throw away what is oldest, which it must never have to do.
  const canLose = found.discard !== discard && (hasLimits(found) || wanted.max_bytes !== undefined);
  if (found["allow_msg_schedules"] === true && canLose) {
    throw new ConfigurationError(
      "CONFIGURATION_INVALID",
      `Expected the stream ${name} to have no limits, since it keeps delayed messages as schedules of the server and would throw away tasks that were not done. Leave out \`maxBytes\` and the stream's own limits, and limit the server instead; or choose another \`namespace\`.`,
    );
  }
  const isSafe = found.discard === discard || found["allow_msg_schedules"] === true;
  if (found.retention === retention && isSafe && subjects.every(has)) return;
  throw new ConfigurationError(
    "CONFIGURATION_INVALID",
    `Expected the stream ${name} to have the subjects ${subjects.join(" ")}, retention ${retention} and discard ${discard}, found ${found.subjects.join(" ")}, ${found.retention} and ${found.discard}. Choose another \`namespace\`, or remove the stream.`,
  );
}
