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
    execute: (job) =>
      new Promise((resolve) => {
        job.giveUp = () => {
          parts.onAbandoned(job);
          resolve(endAborted(job) ?? { kind: "stopping" });
        };
        void runToEnd(job, parts, resolve);
      }),
    stop: () => undefined,
  };
}

async function runToEnd(job: Job, parts: LoopExecutorParts, end: (ended: Ended) => void): Promise<void> {
  const stopTimer =
    job.options.timeout === undefined ? undefined : startTimeout(job, job.options.timeout, parts.timeoutGrace);
  try {
    const returned = await runHandler(job, parts);
    const overruled = job.aborted === undefined ? undefined : endOverruled(job);
    if (overruled !== undefined) end(overruled);
    else if (job.handler.task.output === undefined) end(serializeOutput(job.message.task, returned, parts));
    else end(await checkOutput(job, returned, parts));
  } catch (error) {
    end(endAborted(job) ?? classify(error));
  } finally {
    job.giveUp = undefined;
    stopTimer?.();
  }
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
