import { availableParallelism } from "node:os";
import { parseByteSize } from "../byte-size.ts";
import type { IsolationOptions, QueueOptions, WorkerConfig } from "../config.ts";
import { parseDuration } from "../duration.ts";
import { ConfigurationError, isTaskferryError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import { checkName, defaultMaxBodyBytes } from "../message.ts";

/** A worker's options with every default filled in; durations in milliseconds. */
export interface WorkerSettings {
  readonly lease: number;
  readonly startTimeout: number;
  readonly maxDeliveries: number;
  readonly maxBodyBytes: number;
  readonly shutdown: { readonly timeout: number; readonly grace: number };
  readonly isolation: IsolationSettings;
  /** Milliseconds between two words of its life; `undefined`: it says nothing. */
  readonly presence: number | undefined;
  /** Concurrency by queue; `undefined`: the queues of the handlers' tasks. */
  readonly queues: ReadonlyMap<string, number> | undefined;
}

/** Memory in bytes. */
export interface IsolationSettings {
  readonly threads: number;
  readonly processes: number;
  readonly maxMemory: number | undefined;
  readonly maxTasks: number | undefined;
  readonly loop: "here" | "apart";
}

const defaultConcurrency = 10;
const shortestLease = 100;
const shortestPresence = 100;

/** @throws ConfigurationError `CONFIGURATION_INVALID` with every fault there is. */
export function readSettings(config: WorkerConfig): WorkerSettings {
  const problems: string[] = [];
  const collect = <T>(read: () => T, fallback: T): T => {
    try {
      return read();
    } catch (error) {
      if (!isTaskferryError(error)) throw error;
      problems.push(error.message);
      return fallback;
    }
  };
  const lease = collect(() => parseDuration(config.lease ?? "30s", "lease"), shortestLease);
  if (lease < shortestLease) problems.push(`lease: expected at least ${shortestLease} ms, got ${lease} ms.`);
  const startTimeout = collect(() => parseDuration(config.startTimeout ?? 0, "startTimeout"), 0);
  const maxDeliveries = config.maxDeliveries ?? 10;
  if (!isPositive(maxDeliveries)) problems.push(`maxDeliveries: expected a whole number from 1, got ${maxDeliveries}.`);
  const maxBodyBytes = config.maxBodyBytes ?? defaultMaxBodyBytes;
  if (!isPositive(maxBodyBytes)) problems.push(`maxBodyBytes: expected a whole number from 1, got ${maxBodyBytes}.`);
  const timeout = collect(() => parseDuration(config.shutdown?.timeout ?? "25s", "shutdown.timeout"), 0);
  const grace = collect(() => parseDuration(config.shutdown?.grace ?? "2s", "shutdown.grace"), 0);
  const entries: (readonly [string, QueueOptions])[] = Object.entries(config.queues ?? {});
  for (const [queue, { concurrency = defaultConcurrency }] of entries) {
    collect(() => checkName("queue", queue), queue);
    if (!isPositive(concurrency))
      problems.push(`queues.${queue}.concurrency: expected a whole number from 1, got ${concurrency}.`);
  }
  if (config.queues !== undefined && entries.length === 0)
    problems.push("queues: expected at least one queue, got none. Leave it out for the queues of the handlers' tasks.");
  const every = config.presence ?? "5s";
  const presence = every === false ? undefined : collect(() => parseDuration(every, "presence"), shortestPresence);
  if (presence !== undefined && presence < shortestPresence)
    problems.push(`presence: expected false or at least ${shortestPresence} ms, got ${presence} ms.`);
  const isolation = readIsolation(config.isolation ?? {}, collect, problems);
  if (problems.length > 0) throw new ConfigurationError("CONFIGURATION_INVALID", problems);
  const queues =
    config.queues === undefined
      ? undefined
      : new Map(entries.map(([queue, { concurrency = defaultConcurrency }]) => [queue, concurrency]));
  return {
    lease,
    startTimeout,
    maxDeliveries,
    maxBodyBytes,
    shutdown: { timeout, grace },
    isolation,
    presence,
    queues,
  };
}

function readIsolation(
  { threads, processes, maxMemory, maxTasks, loop = "here" }: IsolationOptions,
  collect: <T>(read: () => T, fallback: T) => T,
  problems: string[],
): IsolationSettings {
  for (const [name, count] of Object.entries({ threads, processes, maxTasks })) {
    if (count !== undefined && !isPositive(count))
      problems.push(`isolation.${name}: expected a whole number from 1, got ${count}.`);
  }
  if (loop !== "here" && loop !== "apart")
    problems.push(`isolation.loop: expected "here" or "apart", got ${JSON.stringify(loop)}.`);
  return {
    threads: threads ?? availableParallelism(),
    processes: processes ?? availableParallelism(),
    maxMemory: maxMemory === undefined ? undefined : collect(() => parseByteSize(maxMemory, "isolation.maxMemory"), 0),
    maxTasks,
    loop,
  };
}

/** Queues by name, with their concurrency. */
export interface ResolvedQueues {
  /** Those to work on. */
  readonly ordinary: ReadonlyMap<string, number>;
  /** Those of the handlers' broadcasts, which reach every worker, whatever queues it works on. */
  readonly broadcast: ReadonlyMap<string, number>;
}

/** @throws ConfigurationError `CONFIGURATION_INVALID` without any handler. */
export function resolveQueues({ queues }: WorkerSettings, handlers: ReadonlyMap<string, Handler>): ResolvedQueues {
  if (handlers.size === 0) {
    throw new ConfigurationError(
      "CONFIGURATION_INVALID",
      "handlers: expected at least one handler, got none. Give values made by task.handler(fn), or modules that export them.",
    );
  }
  const tasks = [...handlers.values()].map(({ task: { options } }) => options);
  const withDefault = (isBroadcast: boolean): readonly (readonly [string, number])[] =>
    tasks
      .filter(({ broadcast }) => broadcast === isBroadcast)
      .map(({ queue }) => [queue, queues?.get(queue) ?? defaultConcurrency]);
  return { ordinary: queues ?? new Map(withDefault(false)), broadcast: new Map(withDefault(true)) };
}

function isPositive(value: number): boolean {
  return Number.isInteger(value) && value >= 1;
}
