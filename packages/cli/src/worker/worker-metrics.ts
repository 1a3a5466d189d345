import type { Config, Logger, Worker } from "@taskferry/core";
import { loadMetrics } from "./metrics.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { openQueueDepths } from "./queue-depths.ts";

/** The metrics of one worker: shown here, or told to the supervisor that shows those of all. */
export interface WorkerMetrics {
  /** The port that answers scrapes; `undefined` where the supervisor does. */
  readonly port: number | undefined;
  /** Counts what a worker tells. */
  observe(worker: Worker): void;
  /** Reads the depths of queues at each scrape. */
  watch(queues: readonly string[]): void;
  snapshot(): Promise<unknown>;
  close(): Promise<void>;
}

export interface WorkerMetricsOptions {
  readonly config: Config & { readonly root: string };
  readonly logger: Logger;
  /** Where scrapes are answered; `undefined`: by the supervisor. */
  readonly listen: { readonly port: number; readonly host: string | undefined } | undefined;
}

/** @throws ConfigurationError `PACKAGE_MISSING`, `CONFIGURATION_INVALID`. */
export async function openWorkerMetrics({ config, logger, listen }: WorkerMetricsOptions): Promise<WorkerMetrics> {
  const metrics = await loadMetrics(config.root);
  const gather = (): Promise<string> => metrics.metrics();
  const server = listen && (await startMetricsServer({ ...listen, contentType: metrics.contentType, gather, logger }));
  const depths = listen && (await openQueueDepths({ config, logger }));
  return {
    port: server?.port,
    observe: (worker) => void metrics.observeWorker(worker),
    watch: (queues) => {
      if (depths !== undefined) metrics.watchQueues(depths, queues);
    },
    snapshot: () => metrics.snapshot(),
    close: async () => {
      await server?.close();
      metrics.close();
      await depths?.close();
    },
  };
}
