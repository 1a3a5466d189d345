import { pathToFileURL } from "node:url";
import {
  type Config,
  createScheduler,
  createWorker,
  type IsolationOptions,
  isHandler,
  isTaskferryError,
  type Logger,
  resolveConnections,
  type ShutdownOptions,
  type Worker,
} from "@taskferry/core";
import type { QueueChoice } from "../arguments.ts";
import type { Session } from "../session.ts";
import { type ChosenLogger, chooseLogger, type LogFlags } from "./choose-logger.ts";
import { chooseQueues, findDeepQueues, findIdleChoices } from "./choose-queues.ts";
import { listenForFaults } from "./faults.ts";
import { type Health, type HealthServer, startHealthServer } from "./health-server.ts";
import { logConnection, logTasks } from "./log-events.ts";
import { listenForStop } from "./stop-requests.ts";
import { tellMeasurements, tellQueues, tellSupervisor } from "./tell-supervisor.ts";
import { openWorkerMetrics, type WorkerMetrics } from "./worker-metrics.ts";

export interface WorkerFlags extends LogFlags {
  readonly concurrency?: number;
  readonly queues?: readonly QueueChoice[];
  readonly shutdownTimeout?: number;
  readonly healthPort?: number;
  readonly healthHost?: string;
  readonly metricsPort?: number;
  readonly metricsHost?: string;
  readonly scheduler?: boolean;
  readonly supervised?: boolean;
  /** Whether the supervisor wants to know what is measured. */
  readonly measured?: boolean;
  readonly maxTasks?: number;
  /** Bytes. */
  readonly maxMemory?: number;
}

/** Runs a worker in this process until it is told to stop. Resolves to whether it came to a good end. */
export async function runWorker(session: Session, flags: WorkerFlags): Promise<boolean> {
  const { config: loaded, note } = await session.loaded();
  const chosen = chooseLogger(flags, loaded, session.terminal);
  const { logger } = chosen;
  if (note !== undefined) logger.info({}, session.redact(note));

  const stop = createStop(logger);
  let worker: Worker | undefined;
  let health: HealthServer | undefined;
  let metrics: WorkerMetrics | undefined;
  const isSupervised = flags.supervised === true;
  const endListening = listenForStop({ onStop: stop.request, isSupervised });
  let endTelling: (() => void) | undefined;
  try {
    health = await openHealth(flags, () => worker);
    if (health !== undefined) logger.info({ port: health.port }, "probes are answered at /livez and /readyz");
    metrics = await openMetrics(flags, loaded, logger);
    if (metrics?.port !== undefined) logger.info({ port: metrics.port }, "metrics are answered at /metrics");
    const config = flags.scheduler === true ? await shareConnections(session) : (await session.loaded()).config;
    worker = await prepareWorker(session, flags, { ...chosen, config, metrics });
    if (isSupervised) endTelling = tellSupervisor(worker, { maxTasks: flags.maxTasks, maxMemory: flags.maxMemory });
    if (flags.scheduler !== true) return await runToEnd(worker, stop, logger);
    const { name: _, ...shared } = config;
    await using scheduler = createScheduler({ ...shared, logger, loadModule: session.loadModule });
    await scheduler.start();
    return await runToEnd(worker, stop, logger);
  } finally {
    endTelling?.();
    endListening();
    await health?.close();
    await metrics?.close();
  }
}

type RootedConfig = Config & { readonly root: string };

/** Worker and scheduler of one process share what they connect to. */
async function shareConnections(session: Session): Promise<RootedConfig> {
  const { config } = await session.loaded();
  const { broker, results = false, state = false, broadcast = false } = await resolveConnections(config);
  return { ...config, broker, results, state, broadcast };
}

interface Stop {
  request(why: string): void;
  /** Resolves at the first request. */
  readonly requested: Promise<undefined>;
}

function createStop(logger: Logger): Stop {
  let resolve: (value: undefined) => void = () => undefined;
  const requested = new Promise<undefined>((resolver) => {
    resolve = resolver;
  });
  const request = (why: string): void => {
    logger.info({ pid: process.pid }, `stopping because of ${why}`);
    resolve(undefined);
  };
  return { request, requested };
}

interface PrepareParts extends ChosenLogger {
  readonly config: RootedConfig;
  readonly metrics: WorkerMetrics | undefined;
}

async function prepareWorker(
  session: Session,
  flags: WorkerFlags,
  { logger, taskLines, config, metrics }: PrepareParts,
): Promise<Worker> {
  const { file } = await session.loaded();
  const worker = createWorker({
    ...config,
    logger,
    chooseQueues: (tasks) => {
      const queues = chooseQueues(config, tasks, { concurrency: flags.concurrency, queues: flags.queues });
      for (const warning of findIdleChoices(queues, tasks)) logger.warn({}, warning);
      metrics?.watch(findDeepQueues(queues, tasks));
      return queues;
    },
    shutdown: chooseShutdown(config.shutdown, flags),
    isolation: chooseIsolation(config, file, logger),
    loadModule: session.loadModule,
    loader: loaderModule(),
  });
  worker.on(logConnection(logger));
  metrics?.observe(worker);
  if (taskLines !== undefined) worker.on(logTasks(logger, taskLines));
  return worker;
}

async function runToEnd(worker: Worker, stop: Stop, logger: Logger): Promise<boolean> {
  let isFaulty = false;
  const onFatal = (): void => {
    isFaulty = true;
    stop.request("a fault");
  };
  const endListening = listenForFaults({ logger, onFatal });
  try {
    await Promise.race([runQuietly(worker, stop), stop.requested.then(() => worker.stop())]);
    return !isFaulty;
  } finally {
    endListening();
  }
}

/** One that is told to stop before it has started is no failure. */
async function runQuietly(worker: Worker, stop: Stop): Promise<void> {
  let isStopping = false;
  void stop.requested.then(() => {
    isStopping = true;
  });
  try {
    await worker.run({ signals: false });
  } catch (error) {
    if (!isStopping || !isTaskferryError(error, "CLOSED")) throw error;
  }
}

async function openHealth(
  { healthPort, healthHost }: WorkerFlags,
  current: () => Worker | undefined,
): Promise<HealthServer | undefined> {
  if (healthPort === undefined) return undefined;
  const health = (): Health => {
    const { state, isConnected } = current()?.status() ?? { state: "starting", isConnected: false };
    return { state, isConnected, isReady: state === "running" && isConnected };
  };
  return await startHealthServer({ port: healthPort, host: healthHost, health });
}

/** Whatever handlers do, the process that holds connections and leases goes on: they run in another. */
function chooseIsolation(config: Config, file: string | undefined, logger: Logger): IsolationOptions {
  const hasValues = (config.handlers ?? []).some(isHandler);
  if (hasValues && config.isolation?.loop === undefined)
    logger.warn({}, "handlers that are given by value run in the worker's own event loop: name their modules instead");
  return {
    loop: hasValues ? "here" : "apart",
    ...(file !== undefined && { config: pathToFileURL(file) }),
    ...config.isolation,
  };
}

/** Only in its repository does this package run from source. */
function loaderModule(): URL {
  return new URL(`./isolate-loader.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}

/** Under a supervisor, that one answers scrapes. */
async function openMetrics(
  { metricsPort, metricsHost, measured }: WorkerFlags,
  config: RootedConfig,
  logger: Logger,
): Promise<WorkerMetrics | undefined> {
  if (metricsPort === undefined && measured !== true) return undefined;
  const listen = metricsPort === undefined ? undefined : { port: metricsPort, host: metricsHost };
  const metrics = await openWorkerMetrics({ config, logger, listen });
  if (measured !== true) return metrics;
  const endTelling = tellMeasurements(metrics.snapshot);
  const close = async (): Promise<void> => {
    endTelling();
    await metrics.close();
  };
  return { ...metrics, watch: tellQueues, close };
}

function chooseShutdown(configured: ShutdownOptions | undefined, { shutdownTimeout }: WorkerFlags): ShutdownOptions {
  return { ...configured, ...(shutdownTimeout !== undefined && { timeout: shutdownTimeout }) };
}
