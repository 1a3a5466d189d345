import { type Config, parseDuration } from "@taskferry/core";
import type { Session } from "../session.ts";
import { childArguments } from "./child-arguments.ts";
import { chooseLogger } from "./choose-logger.ts";
import { startHealthServer } from "./health-server.ts";
import type { WorkerFlags } from "./run-worker.ts";
import { supervise } from "./supervise.ts";
import { openSupervisorMetrics, type SupervisorMetrics } from "./supervisor-metrics.ts";
import { watchFiles } from "./watch-files.ts";

export interface SupervisorFlags extends WorkerFlags {
  readonly processes?: number;
  readonly watch?: boolean;
}

/** Whether the flags need a process that looks after others. */
export function needsSupervisor({ supervised, processes, watch, maxTasks, maxMemory }: SupervisorFlags): boolean {
  if (supervised === true) return false;
  return processes !== undefined || watch === true || maxTasks !== undefined || maxMemory !== undefined;
}

/** Keeps worker processes running until a signal ends them. Resolves to the exit code. */
export async function runSupervisor(session: Session, flags: SupervisorFlags): Promise<number> {
  const { config, file } = await session.loaded();
  const { logger } = chooseLogger(flags, config, session.terminal);
  const isWatching = flags.watch === true;
  const count = flags.processes ?? 1;
  let metrics: SupervisorMetrics | undefined;
  const supervisor = supervise({
    count,
    args: childArguments(session.args),
    logger,
    // While developing, what crashed is not worth starting again before it was mended.
    restarts: !isWatching,
    stopLimit: stopLimit(config, flags),
    onQueues: (queues) => metrics?.watch(queues),
  });
  const health =
    flags.healthPort === undefined
      ? undefined
      : await startHealthServer({
          port: flags.healthPort,
          host: flags.healthHost,
          health: () => ({ state: `${supervisor.ready} of ${count} running`, isReady: supervisor.ready > 0 }),
        });
  if (health !== undefined) logger.info({ port: health.port }, "probes are answered at /livez and /readyz");
  if (flags.metricsPort !== undefined) {
    const collect = (): Promise<Readonly<Record<string, unknown>>> => supervisor.measure();
    const { metricsPort: port, metricsHost: host } = flags;
    metrics = await openSupervisorMetrics({ config, logger, port, host, collect });
    logger.info({ port: metrics.port }, "metrics are answered at /metrics");
  }
  const onChange = (changed: string): void => {
    logger.info({ changed }, "a file changed: restarting the worker");
    supervisor.restart();
  };
  const files = file === undefined ? [] : [file];
  const endWatching = isWatching ? await watchFiles({ root: config.root, files, logger, onChange }) : undefined;
  supervisor.start();
  logger.info({ processes: count, pid: process.pid }, "the supervisor has started its workers");
  const code = await supervisor.ended;
  await Promise.all([endWatching?.(), health?.close(), metrics?.close()]);
  return code;
}

/** Milliseconds for what comes after the stages that the configuration sets: last settlements, and closing. */
const closing = 10_000;

function stopLimit({ shutdown }: Config, { shutdownTimeout }: WorkerFlags): number {
  const timeout = shutdownTimeout ?? shutdown?.timeout ?? "25s";
  return (
    parseDuration(timeout, "shutdown.timeout") + parseDuration(shutdown?.grace ?? "2s", "shutdown.grace") + closing
  );
}
