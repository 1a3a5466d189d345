import type { Schema } from "./schema.ts";
import type { EnqueueOptions, ResolvedTaskOptions } from "./task-options.ts";

/** What a caller needs of a task: its two types, its name and its options. */
export interface CallableTask<TCallerInput = unknown, TCallerOutput = unknown> {
  readonly name: string;
  readonly options: ResolvedTaskOptions;
  readonly input: Schema | undefined;
  readonly output: Schema | undefined;
  /** Carries the types; never set. */
  readonly "~types"?: { readonly callerInput: TCallerInput; readonly callerOutput: TCallerOutput };
}

/** What follows the task in a call that enqueues it: a task without input takes none. */
export type EnqueueArguments<TInput, TOptions = EnqueueOptions> = [TInput] extends [undefined]
  ? [input?: undefined, options?: TOptions]
  : undefined extends TInput
    ? [input?: TInput, options?: TOptions]
    : [input: TInput, options?: TOptions];

/** The caller's view of one enqueued task, with nothing but its id: what a client without results gives, and a handler. */
export interface BareHandle {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
}

/** Options of an enqueue by a handler. */
export interface ChildOptions extends EnqueueOptions {
  /** Whether cancelling the task that enqueues it cancels it too; needs a state store. Default false. */
  readonly bound?: boolean;
}
