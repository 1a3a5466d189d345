import type { BareHandle, CallableTask, ChildOptions, EnqueueArguments } from "./callable-task.ts";
import { OptionError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Schema } from "./schema.ts";
import type { ResolvedTaskOptions } from "./task-options.ts";

const handlerBrand = Symbol.for("taskferry.handler");

/** What a handler knows of its execution, and may ask of it. */
export interface HandlerContext {
  /** The task's id: the same over all attempts and redeliveries, so it serves as an idempotency key. */
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** Failures before this execution: 0 on the first. */
  readonly attempt: number;
  /** Replays from the dead letters: 0 unless replayed. */
  readonly run: number;
  /** How often the broker handed the message out, this time included; `undefined` where it does not tell. */
  readonly deliveryCount: number | undefined;
  /** Wall-clock epoch milliseconds, by the client's clock. */
  readonly enqueuedAt: number;
  /** The headers that the client gave. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Aborts when the work is wanted no longer: `reason` is an `AbortedError` with the code `TASK_CANCELLED`,
   * `TASK_TIMED_OUT`, `LEASE_LOST` or `WORKER_STOPPING`.
   */
  readonly signal: AbortSignal;
  /** Lines of it carry the task's name, id and attempt. */
  readonly log: Logger;
  /**
   * Tells who watches `handle.progress()` how far the work is. Written at most every 100 ms, the newest value wins, the
   * last is always written; a failure to write is logged and costs the task nothing. Without a state store it does
   * nothing.
   *
   * @param value - a number of any scale, commonly 0 to 1.
   * @param note - a short text beside it.
   */
  progress(value: number, note?: string): void;
  /**
   * Enqueues another task over this worker's connections. A handler that runs again enqueues again: give an `id` made of
   * this task's where that must not happen. With `bound: true` it is cancelled with this one. Rejects with
   * `signal.reason` once the signal has aborted; other errors as of `client.enqueue`.
   */
  enqueue<TInput>(
    task: CallableTask<TInput, unknown>,
    ...rest: EnqueueArguments<TInput, ChildOptions>
  ): Promise<BareHandle>;
}

/** What no provider may be named like: it would hide what the context has. */
export const contextNames: Readonly<Record<keyof HandlerContext, true>> = {
  id: true,
  task: true,
  queue: true,
  attempt: true,
  run: true,
  deliveryCount: true,
  enqueuedAt: true,
  headers: true,
  signal: true,
  log: true,
  progress: true,
  enqueue: true,
};

/** The function a worker runs for a task, its types erased. Made by `task.handler(fn)`. */
export interface Handler {
  readonly task: HandledTask;
  readonly run: (input: unknown, context: HandlerContext) => unknown;
  /** The providers whose values the context must have before it runs. */
  readonly needs: Readonly<Record<string, unknown>> | undefined;
}

/** A handler that still knows what callers of its task give and get. */
export interface TaskHandler<TCallerInput, TCallerOutput> extends Handler {
  /** Carries the types; never set. */
  readonly "~types"?: { readonly callerInput: TCallerInput; readonly callerOutput: TCallerOutput };
}

/** What a worker needs to know of a task. */
export interface HandledTask {
  readonly name: string;
  readonly options: ResolvedTaskOptions;
  readonly input: Schema | undefined;
  readonly output: Schema | undefined;
}

/** Makes a handler value; `task.handler` is the way to it. */
export function createHandler<TInput>(
  task: HandledTask,
  run: (input: TInput, context: HandlerContext) => unknown,
  needs?: Handler["needs"],
): Handler {
  if (typeof run !== "function") {
    throw new OptionError(
      "OPTION_INVALID",
      `task ${task.name}, handler: expected a function (input, context) => result, got ${typeof run}.`,
    );
  }
  const handler: Handler & { readonly [handlerBrand]: true } = {
    [handlerBrand]: true,
    task,
    run: run as Handler["run"],
    needs,
  };
  return Object.freeze(handler);
}

/** Whether `value` was made by `task.handler`, of whichever copy of this package. */
export function isHandler(value: unknown): value is Handler {
  return typeof value === "object" && value !== null && handlerBrand in value;
}
