import type { HandlerContext } from "../../handler.ts";
import type { Execution } from "../../middleware.ts";
import type { ProviderScope } from "../../provider-scope.ts";
import { validate } from "../../schema.ts";
import type { Executor, OnEnd } from "../executor.ts";
import type { Ended, Job, RunningExecution } from "../job.ts";
import { endAborted, endOverruled, findFailure, startTimeout } from "./aborts.ts";
import { classify, type OutputParts, serializeOutput } from "./endings.ts";
import { JobExecution } from "./job-execution.ts";

/** All `execute` middlewares as one. */
export type Wrap = (execution: Execution, innermost: () => Promise<unknown>) => Promise<unknown>;

export interface LoopExecutorParts extends OutputParts {
  readonly createContext: (job: Job) => HandlerContext;
  readonly providers: ProviderScope;
  /** `undefined` where there are no `execute` middlewares. */
  readonly wrap: Wrap | undefined;
  /** Milliseconds that a handler has to end after its signal aborted for a timeout. */
  readonly timeoutGrace: number;
  readonly onAbandoned: (job: Job) => void;
}

/** Runs handlers in the event loop of this process. */
export function createLoopExecutor(parts: LoopExecutorParts): Executor {
  return {
    execute: (job, onEnd) => new LoopExecution(job, parts, onEnd).start(),
    recall: () => undefined,
    stop: () => undefined,
  };
}

/** One handler that runs, with callbacks and one object rather than `await`: this is done for every task. */
class LoopExecution implements RunningExecution {
  readonly #job: Job;
  readonly #parts: LoopExecutorParts;
  readonly #onEnd: OnEnd;
  #stopTimer: (() => void) | undefined;
  #hasEnded = false;

  constructor(job: Job, parts: LoopExecutorParts, onEnd: OnEnd) {
    this.#job = job;
    this.#parts = parts;
    this.#onEnd = onEnd;
  }

  start(): void {
    const job = this.#job;
    const { timeout } = job.options;
    if (timeout !== undefined) this.#stopTimer = startTimeout(job, timeout, this.#parts.timeoutGrace);
    job.execution = this;
    try {
      const returned = runHandler(job, this.#parts);
      // Whoever starts this is told of its end afterwards.
      if (!isThenable(returned)) return queueMicrotask(() => this.#endReturned(returned));
      toPromise(returned).then(
        (value) => this.#endReturned(value),
        (error: unknown) => this.#endThrown(error),
      );
    } catch (error) {
      queueMicrotask(() => this.#endThrown(error));
    }
  }

  giveUp(): void {
    this.#parts.onAbandoned(this.#job);
    queueMicrotask(() => this.#tell(endAborted(this.#job) ?? { kind: "stopping" }));
  }

  #endReturned(value: unknown): void {
    const job = this.#job;
    const overruled = job.aborted === undefined ? undefined : endOverruled(job);
    if (overruled !== undefined) this.#end(overruled);
    else if (job.handler.task.output === undefined) this.#end(serializeOutput(job.message, value, this.#parts));
    else void checkOutput(job, value, this.#parts).then((ended) => this.#end(ended));
  }

  #endThrown(error: unknown): void {
    this.#end(endAborted(this.#job) ?? classify(error));
  }

  #end(ended: Ended): void {
    this.#job.execution = undefined;
    this.#stopTimer?.();
    this.#tell(ended);
  }

  /** What was given up may end after that. */
  #tell(ended: Ended): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd(this.#job, ended);
  }
}

function isThenable(returned: unknown): returned is PromiseLike<unknown> {
  return typeof returned === "object" && returned !== null && "then" in returned;
}

/** What is not a promise but behaves like one, such as a query, may do anything when its `then` is called. */
function toPromise(returned: PromiseLike<unknown>): Promise<unknown> {
  return returned instanceof Promise ? returned : Promise.resolve(returned);
}

function runHandler(job: Job, parts: LoopExecutorParts): unknown {
  return parts.wrap === undefined ? runBare(job, parts.createContext(job), parts) : runWrapped(job, parts, parts.wrap);
}

function runWrapped(job: Job, parts: LoopExecutorParts, wrap: Wrap): unknown {
  const context = parts.createContext(job);
  return wrap(new JobExecution(job), async () => runBare(job, context, parts));
}

function runBare(job: Job, context: HandlerContext, parts: LoopExecutorParts): unknown {
  if (job.handler.needs !== undefined) return runProvided(job, context, parts);
  job.onBegin();
  return job.handler.run(job.input, context);
}

function runProvided(job: Job, context: HandlerContext, { providers }: LoopExecutorParts): unknown {
  return providers.run(job.handler, {
    input: job.input,
    context,
    onBegin: () => job.onBegin(),
    findFailure: () => findFailure(job),
  });
}

async function checkOutput(job: Job, returned: unknown, parts: LoopExecutorParts): Promise<Ended> {
  const { output, name } = job.handler.task;
  if (output === undefined) return serializeOutput(job.message, returned, parts);
  try {
    const subject = { code: "OUTPUT_INVALID", name: `What the handler of ${name} returned` } as const;
    return serializeOutput(job.message, await validate(output, returned, subject), parts);
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}
