import type { Config, HandledTask, QueueOptions } from "@taskferry/core";
import type { QueueChoice } from "../arguments.ts";

export interface QueueFlags {
  /** Handlers that run at once in a queue. */
  readonly concurrency: number | undefined;
  /** The queues to work on, in place of the configured ones. */
  readonly queues: readonly QueueChoice[] | undefined;
}

/** The queues of a worker: what the command line says, over the configuration, over what the tasks say. */
export function chooseQueues(
  config: Config,
  tasks: readonly HandledTask[],
  flags: QueueFlags,
): Readonly<Record<string, QueueOptions>> {
  const configured = config.queues ?? Object.fromEntries(tasks.map(({ options }) => [options.queue, {}]));
  if (flags.queues === undefined) {
    return Object.fromEntries(
      Object.entries(configured).map(([name, options]) => [name, withConcurrency(options, flags.concurrency)]),
    );
  }
  return Object.fromEntries(
    flags.queues.map(({ name, concurrency }) => [
      name,
      withConcurrency(configured[name] ?? {}, concurrency ?? flags.concurrency),
    ]),
  );
}

/** Those with a depth to look at: a broadcast waits nowhere. */
export function findDeepQueues(
  queues: Readonly<Record<string, QueueOptions>>,
  tasks: readonly HandledTask[],
): readonly string[] {
  const broadcasts = new Set(tasks.filter(({ options }) => options.broadcast).map(({ options }) => options.queue));
  return Object.keys(queues).filter((queue) => !broadcasts.has(queue));
}

/** What a worker on these queues would never do, in words. */
export function findIdleChoices(
  queues: Readonly<Record<string, QueueOptions>>,
  tasks: readonly HandledTask[],
): readonly string[] {
  const wanted = new Set(tasks.map(({ options }) => options.queue));
  return Object.keys(queues)
    .filter((queue) => !wanted.has(queue))
    .map(
      (queue) =>
        `no task of the handlers waits in the queue "${queue}" by default: only what is enqueued there by name comes`,
    );
}

function withConcurrency(options: QueueOptions, concurrency: number | undefined): QueueOptions {
  return concurrency === undefined ? options : { ...options, concurrency };
}
