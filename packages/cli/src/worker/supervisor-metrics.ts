import type { Config, Logger } from "@taskferry/core";
import { loadMetrics } from "./metrics.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { openQueueDepths } from "./queue-depths.ts";

/** Answers scrapes for all worker processes of a supervisor. */
export interface SupervisorMetrics {
  readonly port: number;
  /** Reads the depths of queues at each scrape; those that it reads already stay. */
  watch(queues: readonly string[]): void;
  close(): Promise<void>;
}

export interface SupervisorMetricsOptions {
  readonly config: Config & { readonly root: string };
  readonly logger: Logger;
  readonly port: number;
  readonly host: string | undefined;
  /** What each worker process has measured, by its number. */
  readonly collect: () => Promise<Readonly<Record<string, unknown>>>;
}

/** @throws ConfigurationError `PACKAGE_MISSING`, `CONFIGURATION_INVALID`. */
export async function openSupervisorMetrics(options: SupervisorMetricsOptions): Promise<SupervisorMetrics> {
  const { config, logger, port, host, collect } = options;
  const metrics = await loadMetrics(config.root);
  const depths = await openQueueDepths({ config, logger });
  const watched = new Set<string>();
  const server = await startMetricsServer({
    ...{ port, host, contentType: metrics.contentType, logger },
    gather: async () => metrics.metrics(await collect()),
  });
  return {
    port: server.port,
    watch: (queues) => {
      const added = queues.filter((queue) => !watched.has(queue));
      for (const queue of added) watched.add(queue);
      if (depths !== undefined && added.length > 0) metrics.watchQueues(depths, added);
    },
    close: async () => {
      await server.close();
      metrics.close();
      await depths?.close();
    },
  };
}
