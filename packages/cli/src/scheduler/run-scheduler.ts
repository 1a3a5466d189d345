import { createScheduler, type SchedulerStatus } from "@taskferry/core";
import type { Session } from "../session.ts";
import { chooseLogger, type LogFlags } from "../worker/choose-logger.ts";
import { listenForFaults } from "../worker/faults.ts";
import { type Health, startHealthServer } from "../worker/health-server.ts";
import { listenForStop } from "../worker/stop-requests.ts";

export interface SchedulerFlags extends LogFlags {
  readonly healthPort?: number;
  readonly healthHost?: string;
}

/** Runs a scheduler in this process until it is told to stop. Resolves to whether it came to a good end. */
export async function runScheduler(session: Session, flags: SchedulerFlags): Promise<boolean> {
  const { config, note } = await session.loaded();
  const { logger } = chooseLogger(flags, config, session.terminal);
  if (note !== undefined) logger.info({}, session.redact(note));
  const { name: _, ...shared } = config;
  await using scheduler = createScheduler({ ...shared, logger, loadModule: session.loadModule });

  let isFaulty = false;
  let stop: (why: string) => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = (why) => {
      logger.info({ pid: process.pid }, `stopping because of ${why}`);
      resolve();
    };
  });
  const endListening = listenForStop({ onStop: stop, isSupervised: false });
  const endFaults = listenForFaults({
    logger,
    onFatal: () => {
      isFaulty = true;
      stop("a fault");
    },
  });
  const { healthPort, healthHost } = flags;
  const health =
    healthPort === undefined
      ? undefined
      : await startHealthServer({ port: healthPort, host: healthHost, health: () => toHealth(scheduler.status()) });
  try {
    if (health !== undefined) logger.info({ port: health.port }, "probes are answered at /livez and /readyz");
    await Promise.race([scheduler.start(), stopped]);
    await stopped;
    await scheduler.stop();
    return !isFaulty;
  } finally {
    endListening();
    endFaults();
    await health?.close();
  }
}

function toHealth({ state, isConnected }: SchedulerStatus): Health {
  return { state, isConnected, isReady: state === "running" && isConnected };
}
