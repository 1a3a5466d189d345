import { isTaskferryError } from "../errors.ts";
import { type Logger, silentLogger } from "../logger.ts";
import type { Middleware } from "../middleware.ts";

export interface LoggingOptions {
  /** Any logger of pino's shape. Default: that of the client or worker. */
  readonly logger?: Logger;
  /** The level of what went well. Default `"info"`; failures are always warnings. */
  readonly level?: "debug" | "info";
}

/**
 * Logs each enqueue and each execution, with the task, its id and how long it took. Lines of one task come from one
 * child logger. What becomes of a failure (a retry, the dead letters) is decided later and told by the worker's events.
 */
export function logging({ logger, level = "info" }: LoggingOptions = {}): Middleware {
  const sides = { client: new Children(logger), worker: new Children(logger) };
  return {
    name: "logging",
    start: async (role, host) => {
      sides[role].parent ??= host.logger;
    },
    enqueue: async (outgoing, next) => {
      const { id, task, queue } = outgoing.message;
      const log = sides.client.of(task);
      try {
        const result = await next(outgoing);
        if ("error" in result) log.warn({ id, queue, error: result.error }, "the task could not be enqueued");
        else log[level]({ id, queue, status: result.status }, "enqueued");
        return result;
      } catch (error) {
        log.warn({ id, queue, error }, "the task could not be enqueued");
        throw error;
      }
    },
    execute: async ({ message: { id, task, attempt, run } }, next) => {
      const log = sides.worker.of(task);
      const begun = performance.now();
      const describe = (): object => ({ id, attempt, run, milliseconds: Math.round(performance.now() - begun) });
      try {
        const value = await next();
        log[level](describe(), "executed");
        return value;
      } catch (error) {
        if (isDecision(error)) log[level]({ ...describe(), decision: error.name }, "executed");
        else log.warn({ ...describe(), error }, "the task failed");
        throw error;
      }
    },
  };
}

/** One child logger for each task. */
class Children {
  parent: Logger | undefined;
  readonly #byTask = new Map<string, Logger>();

  constructor(parent: Logger | undefined) {
    this.parent = parent;
  }

  of(task: string): Logger {
    const known = this.#byTask.get(task);
    if (known !== undefined) return known;
    const child = (this.parent ?? silentLogger).child({ task });
    this.#byTask.set(task, child);
    return child;
  }
}

/** What handlers throw to say what shall become of the task. */
function isDecision(error: unknown): error is Error {
  return isTaskferryError(error) && (error.name === "CancelTask" || error.name === "RetryLater");
}
