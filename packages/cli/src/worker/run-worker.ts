import {
  type Config,
  createScheduler,
  createWorker,
  type Logger,
  loadHandlers,
  resolveConnections,
  type ShutdownOptions,
  type Worker,
} from "@taskferry/core";
import type { QueueChoice } from "../arguments.ts";
import type { Session } from "../session.ts";
import { type ChosenLogger, chooseLogger, type LogFlags } from "./choose-logger.ts";
import { chooseQueues, findIdleChoices } from "./choose-queues.ts";
import { listenForFaults } from "./faults.ts";
import { type HealthServer, startHealthServer } from "./health-server.ts";
import { logConnection, logTasks } from "./log-events.ts";
import { listenForStop } from "./stop-requests.ts";

export interface WorkerFlags extends LogFlags {
  readonly concurrency?: number;
  readonly queues?: readonly QueueChoice[];
  readonly shutdownTimeout?: number;
  readonly healthPort?: number;
  readonly healthHost?: string;
  readonly scheduler?: boolean;
  readonly supervised?: boolean;
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
  const endListening = listenForStop({ onStop: stop.request, isSupervised: flags.supervised === true });
  try {
    health = await openHealth(flags, () => worker);
    if (health !== undefined) logger.info({ port: health.port }, "probes are answered at /livez and /readyz");
    // A module may take for ever to load: a stop does not wait for it.
    const config = flags.scheduler === true ? await shareConnections(session) : (await session.loaded()).config;
    worker = await Promise.race([prepareWorker(session, flags, { ...chosen, config }), stop.requested]);
    if (worker === undefined) return true;
    if (flags.scheduler !== true) return await runToEnd(worker, stop, logger);
    const { name: _, ...shared } = config;
    await using scheduler = createScheduler({ ...shared, logger, loadModule: session.loadModule });
    await scheduler.start();
    return await runToEnd(worker, stop, logger);
  } finally {
    endListening();
    await health?.close();
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

async function prepareWorker(
  session: Session,
  flags: WorkerFlags,
  { logger, taskLines, config }: ChosenLogger & { readonly config: RootedConfig },
): Promise<Worker> {
  const { loadModule } = session;
  const handlers = await loadHandlers(config, loadModule);
  const queues = chooseQueues(config, handlers, { concurrency: flags.concurrency, queues: flags.queues });
  for (const warning of findIdleChoices(queues, handlers)) logger.warn({}, warning);
  const worker = createWorker({
    ...config,
    logger,
    queues,
    shutdown: chooseShutdown(config.shutdown, flags),
    loadModule,
  });
  worker.on(logConnection(logger));
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
    await Promise.race([worker.run({ signals: false }), stop.requested.then(() => worker.stop())]);
    return !isFaulty;
  } finally {
    endListening();
  }
}

async function openHealth(
  { healthPort, healthHost }: WorkerFlags,
  current: () => Worker | undefined,
): Promise<HealthServer | undefined> {
  if (healthPort === undefined) return undefined;
  const health = () => current()?.status() ?? { state: "starting", isConnected: false };
  return await startHealthServer({ port: healthPort, host: healthHost, health });
}

function chooseShutdown(configured: ShutdownOptions | undefined, { shutdownTimeout }: WorkerFlags): ShutdownOptions {
  return { ...configured, ...(shutdownTimeout !== undefined && { timeout: shutdownTimeout }) };
}
