import { CancelTask, RetryLater } from "../../errors.ts";
import type { Captured } from "../../surroundings.ts";
import type { Executor } from "../executor.ts";
import type { RunListeners, Site, SiteRun } from "../isolation/site.ts";
import type { Ended, Job, RunningExecution } from "../job.ts";
import { endAborted, endOverruled, startTimeout } from "./aborts.ts";
import { classify, type OutputParts, serializeOutput } from "./endings.ts";
import { JobExecution } from "./job-execution.ts";
import type { Wrap } from "./loop.ts";

export interface RemoteExecutorParts extends OutputParts {
  readonly site: Site;
  /** Runs here, around what runs there. */
  readonly wrap: Wrap | undefined;
  /** What surrounds a handler, to go along with it. */
  readonly capture: () => Captured | undefined;
  /** Milliseconds that a handler has to end after its signal aborted for a timeout. */
  readonly timeoutGrace: number;
}

/** Runs handlers elsewhere, and keeps their time here, where nothing blocks. */
export function createRemoteExecutor(parts: RemoteExecutorParts): Executor {
  return {
    execute: (job, onEnd) => {
      const executing = new Promise<Ended>((resolve) => {
        if (parts.wrap === undefined) place(job, parts, resolve);
        else void runWrapped(job, { ...parts, wrap: parts.wrap, onGivenUp: resolve }).then(resolve);
      });
      void executing.then((ended) => onEnd(job, ended));
    },
    recall: (queue) => {
      // For middlewares that surround it, it has begun.
      if (parts.wrap === undefined) parts.site.recall(queue);
    },
    stop: () => parts.site.stop(),
  };
}

function place(job: Job, parts: RemoteExecutorParts, end: (ended: Ended) => void): void {
  job.captured = parts.capture();
  const placement = new Placement(job, parts.timeoutGrace, end);
  job.execution = placement;
  placement.run = parts.site.run(job, placement);
}

/** One job on its way to a site and back, and its time. */
class Placement implements RunListeners, RunningExecution {
  run: SiteRun | undefined;
  readonly #job: Job;
  readonly #timeoutGrace: number;
  readonly #end: (ended: Ended) => void;
  #stopTimer: (() => void) | undefined;

  constructor(job: Job, timeoutGrace: number, end: (ended: Ended) => void) {
    this.#job = job;
    this.#timeoutGrace = timeoutGrace;
    this.#end = end;
  }

  onStart(): void {
    const job = this.#job;
    job.startedAt = Date.now();
    job.onBegin();
    const { timeout } = job.options;
    if (timeout !== undefined) this.#stopTimer ??= startTimeout(job, timeout, this.#timeoutGrace);
  }

  onEnd(ended: Ended, waited: number): void {
    this.#job.startedAt += waited;
    this.#leave();
    this.#end(overrule(this.#job, ended));
  }

  giveUp(): void {
    this.#leave();
    void this.run?.giveUp().then(() => this.#end(endAborted(this.#job) ?? { kind: "stopping" }));
  }

  #leave(): void {
    this.#stopTimer?.();
    this.#job.execution = undefined;
  }
}

interface WrappedParts extends RemoteExecutorParts {
  readonly wrap: Wrap;
  /** A middleware may hang for ever: nobody waits for it then. */
  readonly onGivenUp: (ended: Ended) => void;
}

async function runWrapped(job: Job, parts: WrappedParts): Promise<Ended> {
  let ended: Ended | undefined;
  let value: unknown;
  let thrown: unknown;
  const next = async (): Promise<unknown> => {
    ended = await new Promise<Ended>((resolve) => place(job, parts, resolve));
    if (ended.kind !== "returned") {
      if (job.aborted !== undefined) parts.onGivenUp(ended);
      thrown = toError(ended);
      throw thrown;
    }
    value = parts.serializers.deserialize(ended.result.contentType, ended.result.body);
    return value;
  };
  job.execution = { giveUp: () => parts.onGivenUp(endAborted(job) ?? { kind: "stopping" }) };
  try {
    const returned = await parts.wrap(new JobExecution(job), next);
    const isUntouched = ended?.kind === "returned" && returned === value;
    return overrule(job, isUntouched ? (ended as Ended) : serializeOutput(job.message, returned, parts));
  } catch (error) {
    if (ended !== undefined && error === thrown) return ended;
    return endAborted(job) ?? classify(error);
  } finally {
    job.execution = undefined;
  }
}

function overrule(job: Job, ended: Ended): Ended {
  if (job.aborted === undefined) return ended;
  return (ended.kind === "returned" ? endOverruled(job) : endAborted(job)) ?? ended;
}

/** What a middleware sees of an execution that did not return. */
function toError(ended: Exclude<Ended, { readonly kind: "returned" }>): unknown {
  switch (ended.kind) {
    case "threw":
    case "refused":
    case "timedOut":
      return ended.error;
    case "cancelled":
      return new CancelTask(ended.reason);
    case "later":
      return new RetryLater(ended.delay);
    case "limited":
    case "repeated":
    case "stopping":
    case "leaseLost":
      return new Error("The execution was given up.");
  }
}
