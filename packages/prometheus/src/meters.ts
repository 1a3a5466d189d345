import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** What is counted and measured, registered under one prefix. */
export interface Meters {
  readonly enqueued: Counter<"task" | "queue">;
  readonly ended: Counter<"task" | "queue" | "outcome">;
  readonly retries: Counter<"task" | "queue">;
  readonly deadLetters: Counter<"queue" | "code">;
  readonly leasesLost: Counter<"task" | "queue">;
  readonly released: Counter<"task" | "queue">;
  readonly wait: Histogram<"task" | "queue">;
  readonly duration: Histogram<"task" | "queue">;
  readonly inFlight: Gauge<"task" | "queue">;
  readonly depth: Gauge<"queue" | "section">;
  readonly depthFailures: Counter<"queue">;
  readonly connected: Gauge<"broker">;
  readonly eventLoopDelay: Gauge<"loop" | "quantile">;
}

export interface MeterOptions {
  readonly registry: Registry;
  readonly prefix: string;
  readonly buckets: readonly number[];
}

export function createMeters({ registry, prefix, buckets }: MeterOptions): Meters {
  const registers = [registry];
  const task = ["task", "queue"] as const;
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> =>
    new Counter({ name: `${prefix}${name}`, help, labelNames: [...labelNames], registers });
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]): Gauge<T> =>
    new Gauge({ name: `${prefix}${name}`, help, labelNames: [...labelNames], registers });
  const histogram = (name: string, help: string): Histogram<"task" | "queue"> =>
    new Histogram({ name: `${prefix}${name}`, help, labelNames: [...task], buckets: [...buckets], registers });
  return {
    enqueued: counter("tasks_enqueued_total", "Tasks that the broker has taken over.", task),
    ended: counter("tasks_total", "Tasks that have ended, by outcome.", [...task, "outcome"]),
    retries: counter("task_retries_total", "Executions that are followed by another.", task),
    deadLetters: counter("dead_letters_total", "Messages that were given up on, by code.", ["queue", "code"]),
    leasesLost: counter("leases_lost_total", "Deliveries that another worker has now.", task),
    released: counter("tasks_released_total", "Deliveries that were handed back unspent.", task),
    wait: histogram("task_wait_seconds", "From the enqueue, or the end of the delay, to the start."),
    duration: histogram("task_duration_seconds", "How long handlers ran."),
    inFlight: gauge("tasks_in_flight", "Handlers that run now.", task),
    depth: gauge("queue_depth", "Messages in a queue, by section.", ["queue", "section"]),
    depthFailures: counter("queue_depth_failures_total", "Queues whose depth could not be read.", ["queue"]),
    connected: gauge("broker_connected", "Whether the connection to the broker stands.", ["broker"]),
    eventLoopDelay: gauge("event_loop_delay_seconds", "How late timers were since the last scrape.", [
      "loop",
      "quantile",
    ]),
  };
}
