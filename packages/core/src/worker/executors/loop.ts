import type { HandlerContext } from "../../handler.ts";
import type { Execution } from "../../middleware.ts";
import type { ProviderScope } from "../../provider-scope.ts";
import { validate } from "../../schema.ts";
import type { Executor } from "../executor.ts";
import type { Ended, Job } from "../job.ts";
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
    execute: (job) => new Promise((resolve) => runToEnd(job, parts, resolve)),
    stop: () => undefined,
  };
}

/** With callbacks rather than `await`: this is done for every task. */
function runToEnd(job: Job, parts: LoopExecutorParts, resolve: (ended: Ended) => void): void {
  const { timeout } = job.options;
  const stopTimer = timeout === undefined ? undefined : startTimeout(job, timeout, parts.timeoutGrace);
  const end = (ended: Ended): void => {
    job.giveUp = undefined;
    stopTimer?.();
    resolve(ended);
  };
  job.giveUp = () => {
    parts.onAbandoned(job);
    resolve(endAborted(job) ?? { kind: "stopping" });
  };
  const onThrown = (error: unknown): void => end(endAborted(job) ?? classify(error));
  try {
    const returned = runHandler(job, parts);
    if (isThenable(returned)) toPromise(returned).then((value) => endReturned(job, value, { parts, end }), onThrown);
    else endReturned(job, returned, { parts, end });
  } catch (error) {
    onThrown(error);
  }
}

function isThenable(returned: unknown): returned is PromiseLike<unknown> {
  return typeof returned === "object" && returned !== null && "then" in returned;
}

/** What is not a promise but behaves like one, such as a query, may do anything when its `then` is called. */
function toPromise(returned: PromiseLike<unknown>): Promise<unknown> {
  return returned instanceof Promise ? returned : Promise.resolve(returned);
}

interface Ending {
  readonly parts: LoopExecutorParts;
  readonly end: (ended: Ended) => void;
}

function endReturned(job: Job, value: unknown, { parts, end }: Ending): void {
  const overruled = job.aborted === undefined ? undefined : endOverruled(job);
  if (overruled !== undefined) end(overruled);
  else if (job.handler.task.output === undefined) end(serializeOutput(job.message.task, value, parts));
  else void checkOutput(job, value, parts).then(end);
}

function runHandler(job: Job, parts: LoopExecutorParts): unknown {
  return parts.wrap === undefined ? runBare(job, parts.createContext(job), parts) : runWrapped(job, parts, parts.wrap);
}

function runWrapped(job: Job, parts: LoopExecutorParts, wrap: Wrap): unknown {
  const context = parts.createContext(job);
  return wrap(new JobExecution(job), async () => runBare(job, context, parts));
}

function runBare(job: Job, context: HandlerContext, parts: LoopExecutorParts): unknown {
  return job.handler.needs === undefined ? job.handler.run(job.input, context) : runProvided(job, context, parts);
}

function runProvided(job: Job, context: HandlerContext, { providers }: LoopExecutorParts): unknown {
  return providers.run(job.handler, { input: job.input, context, findFailure: () => findFailure(job) });
}

async function checkOutput(job: Job, returned: unknown, parts: LoopExecutorParts): Promise<Ended> {
  const { output, name } = job.handler.task;
  if (output === undefined) return serializeOutput(name, returned, parts);
  try {
    const subject = { code: "OUTPUT_INVALID", name: `What the handler of ${name} returned` } as const;
    return serializeOutput(name, await validate(output, returned, subject), parts);
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}
