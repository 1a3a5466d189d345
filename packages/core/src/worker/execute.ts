import { parseDuration } from "../duration.ts";
import { AbortedError, isTaskferryError, MessageError, type RetryLater } from "../errors.ts";
import type { HandlerContext } from "../handler.ts";
import type { Execution } from "../middleware.ts";
import { validate } from "../schema.ts";
import type { SerializerSet } from "../serializer-set.ts";
import type { Ended, Job } from "./job.ts";

/**
 * Runs handlers. The worker asks for nothing but this, so handlers can run in its event loop, in threads or in
 * processes.
 */
export interface Executor {
  /**
   * Runs the job's handler to its end and never rejects. When the job aborts, the handler has `grace` to end by itself;
   * then it is given up.
   */
  execute(job: Job): Promise<Ended>;
}

export interface LoopExecutorParts {
  readonly serializers: SerializerSet;
  readonly createContext: (job: Job) => HandlerContext;
  /** All `execute` middlewares, or `undefined` where there are none. */
  readonly wrap: ((execution: Execution, innermost: () => Promise<unknown>) => Promise<unknown>) | undefined;
  /** Milliseconds that a handler has to end after its signal aborted for a timeout. */
  readonly timeoutGrace: number;
  /** Bytes of a serialized result at most. */
  readonly maxResultBytes: number;
  readonly onAbandoned: (job: Job) => void;
}

/** Runs handlers in the event loop of the worker's process. */
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
  };
}

async function runToEnd(job: Job, parts: LoopExecutorParts, end: (ended: Ended) => void): Promise<void> {
  const stopTimer =
    job.options.timeout === undefined ? undefined : startTimeout(job, job.options.timeout, parts.timeoutGrace);
  try {
    const returned = await runHandler(job, parts);
    if (job.aborted !== undefined && job.aborted.code !== "WORKER_STOPPING") end(endAborted(job) as Ended);
    else if (job.handler.task.output === undefined) end(serializeOutput(job, returned, parts));
    else end(await checkOutput(job, returned, parts));
  } catch (error) {
    end(endAborted(job) ?? classify(error));
  } finally {
    job.giveUp = undefined;
    stopTimer?.();
  }
}

function runHandler(job: Job, { createContext, wrap }: LoopExecutorParts): unknown {
  const context = createContext(job);
  if (wrap === undefined) return job.handler.run(job.input, context);
  return wrap({ message: job.message, input: job.input, signal: job.signal }, async () =>
    job.handler.run(job.input, context),
  );
}

function startTimeout(job: Job, timeout: number, grace: number): () => void {
  const end = new AbortedError(
    "TASK_TIMED_OUT",
    `The handler of ${job.message.task} took longer than its timeout of ${timeout} ms.`,
  );
  let timer = setTimeout(
    () => {
      job.abort(end);
      timer = setTimeout(() => job.giveUp?.(), grace);
    },
    Math.min(timeout, 2 ** 31 - 1),
  );
  return () => clearTimeout(timer);
}

/** How a job ended whose signal aborted: whatever the handler made of it, the reason decides. */
function endAborted({ aborted }: Job): Ended | undefined {
  switch (aborted?.code) {
    case "TASK_TIMED_OUT":
      return { kind: "timedOut", error: aborted };
    case "TASK_CANCELLED":
      return { kind: "cancelled", code: "TASK_CANCELLED", reason: aborted.message };
    case "LEASE_LOST":
      return { kind: "leaseLost" };
    case "WORKER_STOPPING":
      return { kind: "stopping" };
    default:
      return undefined;
  }
}

function classify(error: unknown): Ended {
  if (!isTaskferryError(error)) return { kind: "threw", error, isFinal: false };
  switch (error.name) {
    case "CancelTask":
      return { kind: "cancelled", code: "TASK_CANCELLED", reason: error.message };
    case "RetryLater":
      return classifyLater(error as RetryLater);
    case "FailTask":
      return { kind: "threw", error, isFinal: true };
    default:
      return { kind: "threw", error, isFinal: false };
  }
}

function classifyLater({ delay }: RetryLater): Ended {
  try {
    return { kind: "later", delay: parseDuration(delay, "RetryLater") };
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}

async function checkOutput(job: Job, returned: unknown, parts: LoopExecutorParts): Promise<Ended> {
  const { output, name } = job.handler.task;
  if (output === undefined) return serializeOutput(job, returned, parts);
  try {
    const subject = { code: "OUTPUT_INVALID", name: `What the handler of ${name} returned` } as const;
    return serializeOutput(job, await validate(output, returned, subject), parts);
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}

/** What cannot be stored will be no better the next time, so it is final. */
function serializeOutput(job: Job, value: unknown, { serializers, maxResultBytes }: LoopExecutorParts): Ended {
  try {
    const body = serializers.serialize(value);
    if (body.length > maxResultBytes) throw tooLarge(job.message.task, body.length, maxResultBytes);
    return { kind: "returned", result: { contentType: serializers.contentType, body } };
  } catch (error) {
    return { kind: "threw", error, isFinal: true };
  }
}

function tooLarge(task: string, bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `The handler of ${task} returned ${bytes} bytes when serialized; the result backend takes at most ${limit}. Return a reference to the data.`,
  );
}
