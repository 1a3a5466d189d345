import type { Emitter, WorkerEvent } from "../../events.ts";
import type { Logger } from "../../logger.ts";
import type { Job } from "../job.ts";

/** What threads and processes have to tell besides how their tasks ended. */
export interface IsolationReporter {
  onProgress(id: string, value: number, note: string | undefined): void;
  onLog(line: {
    readonly level: "debug" | "info" | "warn" | "error";
    readonly fields: object;
    readonly message: string;
  }): void;
  /** How late timers were at most, during the last second, where handlers share an event loop. */
  onLate(milliseconds: number): void;
  onBlocked(milliseconds: number, tasks: readonly string[]): void;
  onFault(kind: "exception" | "rejection", fault: { readonly error: unknown; readonly tasks: readonly string[] }): void;
  /** A handler that shares an event loop, or cannot be killed, was given up while it may still run. */
  onAbandoned(job: Job): void;
  onRestart(fields: object): void;
}

export interface ReporterParts {
  readonly logger: Logger;
  readonly emitter: Emitter<WorkerEvent>;
  readonly reportProgress: (id: string, value: number, note: string | undefined) => void;
}

export function createReporter({ logger, emitter, reportProgress }: ReporterParts): IsolationReporter {
  return {
    onProgress: reportProgress,
    onLog: ({ level, fields, message }) => logger[level](fields, message),
    onLate: (milliseconds) => emitter.emit(() => ({ type: "handlers.late", at: Date.now(), milliseconds })),
    onBlocked: (milliseconds, tasks) =>
      logger.warn(
        { milliseconds, tasks },
        'a handler blocked the event loop that it shares with others. Give a task that computes for long `isolation: "thread"`',
      ),
    onFault: (kind, fields) =>
      logger.error(
        fields,
        kind === "rejection"
          ? "a promise was rejected and nobody waited for it: some code lacks an await or a catch"
          : "an error was thrown outside of any handler: what runs beside it may go on, new tasks run in a new process",
      ),
    onAbandoned: ({ message: { id, task, queue, attempt, run } }) => {
      logger.error({ id, task }, "the handler ignored its signal: its slot is used again while it may still run");
      emitter.emit(() => ({ type: "task.abandoned", at: Date.now(), id, task, queue, attempt, run }));
    },
    onRestart: (fields) => logger.warn(fields, "a process or thread for handlers has ended: a new one is started"),
  };
}
