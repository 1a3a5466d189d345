import type { BrokerAdmin, Client, Unsubscribe, Worker } from "@taskferry/core";
import { Registry } from "prom-client";
import { countEvent } from "./count-event.ts";
import { EventLoops } from "./event-loops.ts";
import { createMeters, type Meters } from "./meters.ts";
import { joinSnapshots, type MetricsSnapshot } from "./snapshots.ts";

export interface PrometheusOptions {
  /** Where the metrics are registered. Default: a registry of its own. */
  readonly registry?: Registry;
  /** Begins every name. Default `"taskferry_"`. */
  readonly prefix?: string;
  /** Upper bounds of waits and durations in seconds. Default: from 1 ms to 2 hours. */
  readonly buckets?: readonly number[];
}

/** Metrics of the clients and workers of a process. */
export interface Prometheus {
  readonly registry: Registry;
  /** The content type of `metrics()`. */
  readonly contentType: string;
  /** Counts what a worker tells. */
  observeWorker(worker: Pick<Worker, "on">): Unsubscribe;
  /** Counts what a client tells. */
  observeClient(client: Pick<Client, "on">): Unsubscribe;
  /** Reads the depth of queues at each scrape. One process of an application is enough for it. */
  watchQueues(queues: Pick<BrokerAdmin, "depth">, names: readonly string[]): Unsubscribe;
  /**
   * All metrics as text, for an endpoint of yours.
   *
   * @param others - what other processes have measured, as their `snapshot()` said, by names that become the label
   * `process`.
   */
  metrics(others?: Readonly<Record<string, MetricsSnapshot>>): Promise<string>;
  /** All metrics as plain data, for another process to show. */
  snapshot(): Promise<MetricsSnapshot>;
  /** Stops what it measures by itself. */
  close(): void;
}

const defaultBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200];

export function prometheus(options: PrometheusOptions = {}): Prometheus {
  const { registry = new Registry(), prefix = "taskferry_", buckets = defaultBuckets } = options;
  const meters = createMeters({ registry, prefix, buckets });
  const loops = new EventLoops();
  const watched = new Set<WatchedQueue>();
  const read = async (): Promise<void> => {
    loops.read(meters);
    await Promise.all([...watched].map((queue) => readDepth(meters, queue)));
  };
  return {
    registry,
    contentType: registry.contentType,
    observeWorker: (worker) =>
      worker.on((event) => {
        if (event.type === "handlers.late") loops.noteHandlers(event.milliseconds);
        else countEvent(meters, event);
      }),
    observeClient: (client) => client.on((event) => countEvent(meters, event)),
    watchQueues: (queues, names) => {
      const added = names.map((name) => ({ queues, name }));
      for (const queue of added) watched.add(queue);
      return () => {
        for (const queue of added) watched.delete(queue);
      };
    },
    metrics: async (others = {}) => {
      await read();
      if (Object.keys(others).length === 0) return registry.metrics();
      return joinSnapshots(await registry.getMetricsAsJSON(), others).metrics();
    },
    snapshot: async () => {
      await read();
      return registry.getMetricsAsJSON();
    },
    close: () => loops.close(),
  };
}

interface WatchedQueue {
  readonly queues: Pick<BrokerAdmin, "depth">;
  readonly name: string;
}

/** A broker that is away costs its depths, not the whole scrape: an old figure would be worse than none. */
async function readDepth({ depth, depthFailures }: Meters, { queues, name }: WatchedQueue): Promise<void> {
  try {
    for (const [section, count] of Object.entries(await queues.depth(name))) {
      // Not every broker can count every section.
      if (count !== undefined) depth.set({ queue: name, section }, count);
    }
  } catch {
    depthFailures.inc({ queue: name });
    for (const section of ["ready", "delayed", "running", "dead"]) depth.remove({ queue: name, section });
  }
}
