import type { BareHandle, CallableTask, ChildOptions } from "../callable-task.ts";
import type { HandlerContext } from "../handler.ts";
import type { Logger } from "../logger.ts";
import type { Job } from "./job.ts";

const noHeaders: Readonly<Record<string, string>> = Object.freeze({});

export interface ContextParts {
  readonly logger: Logger;
  readonly reportProgress: (id: string, value: number, note: string | undefined) => void;
  readonly enqueueChild: EnqueueChild;
}

/** Enqueues a task for a handler. */
export type EnqueueChild = (
  parent: Job,
  task: CallableTask,
  call: { readonly input: unknown; readonly options: ChildOptions | undefined },
) => Promise<BareHandle>;

/** A handler's view of its job. What costs something is made at first use. */
export class JobContext implements HandlerContext {
  readonly #job: Job;
  readonly #parts: ContextParts;
  #log: Logger | undefined;

  constructor(job: Job, parts: ContextParts) {
    this.#job = job;
    this.#parts = parts;
  }

  /** Handlers take it out of the context, `({ progress }) => ...`, so it is bound. */
  get progress(): HandlerContext["progress"] {
    return (value, note) => this.#parts.reportProgress(this.id, value, note);
  }

  get enqueue(): HandlerContext["enqueue"] {
    return (task, ...[input, options]) => this.#parts.enqueueChild(this.#job, task as CallableTask, { input, options });
  }

  get id(): string {
    return this.#job.message.id;
  }
  get task(): string {
    return this.#job.message.task;
  }
  get queue(): string {
    return this.#job.message.queue;
  }
  get attempt(): number {
    return this.#job.message.attempt;
  }
  get run(): number {
    return this.#job.message.run;
  }
  get deliveryCount(): number | undefined {
    return this.#job.delivery.deliveryCount;
  }
  get enqueuedAt(): number {
    return this.#job.message.enqueuedAt;
  }
  get headers(): Readonly<Record<string, string>> {
    return this.#job.message.headers ?? noHeaders;
  }
  get signal(): AbortSignal {
    return this.#job.signal;
  }
  get log(): Logger {
    this.#log ??= this.#parts.logger.child({ task: this.task, id: this.id, attempt: this.attempt });
    return this.#log;
  }
}
