import type { CallableTask } from "./callable-task.ts";
import type { HandlerContext, TaskHandler } from "./handler.ts";
import { contextNames, createHandler } from "./handler.ts";
import { checkName } from "./message.ts";
import { checkNeeds, type ProvidedValues, type ProviderNeeds } from "./provider.ts";
import { checkSchema, type Schema, type SchemaInput, type SchemaOutput } from "./schema.ts";
import { resolveDefinition, type TaskDefinition } from "./task-options.ts";

const taskBrand = Symbol.for("taskferry.task");

/**
 * A named, typed unit of work; a value that both sides import. It loads no handler, opens no connection and registers
 * nothing. Its four types: what a caller gives, what the handler gets, what the handler returns, what a caller gets.
 */
export interface Task<
  TCallerInput = unknown,
  THandlerInput = TCallerInput,
  THandlerOutput = unknown,
  TCallerOutput = THandlerOutput,
> extends CallableTask<TCallerInput, TCallerOutput> {
  /** Makes the handler of this task: a value for a worker's `handlers`. */
  handler(
    run: (input: THandlerInput, context: HandlerContext) => THandlerOutput | Promise<THandlerOutput>,
  ): TaskHandler<TCallerInput, TCallerOutput>;
  /**
   * The same for a handler that needs what providers make: the context has their values, under the names given here.
   *
   * @throws OptionError `OPTION_INVALID` for a name that the context has already.
   */
  handler<TNeeds extends HandlerNeeds>(
    needs: TNeeds,
    run: (
      input: THandlerInput,
      context: HandlerContext & ProvidedValues<TNeeds>,
    ) => THandlerOutput | Promise<THandlerOutput>,
  ): TaskHandler<TCallerInput, TCallerOutput>;
}

/** Providers by the name under which a handler gets their values; no name of the context. */
export type HandlerNeeds = ProviderNeeds & { readonly [TName in keyof HandlerContext]?: never };

/** What a caller gets of a task with `broadcast: true`: nothing, for there is one execution in every worker. */
export interface Broadcasted {
  readonly [taskBrand]: "broadcast";
}

/** What a caller of a task gives, and what it gets. */
export type TaskInput<TTask> = TTask extends { readonly "~types"?: { readonly callerInput: infer TInput } }
  ? TInput
  : never;
export type TaskOutput<TTask> = TTask extends { readonly "~types"?: { readonly callerOutput: infer TOutput } }
  ? TOutput
  : never;

type OrdinaryDefinition<THandlerInput, TCallerInput = THandlerInput> = TaskDefinition<THandlerInput, TCallerInput> & {
  readonly broadcast?: false;
};

/**
 * Defines a task.
 *
 * With schemas (any Standard Schema), a caller gives what goes into `input` and the handler gets what comes out of it;
 * the handler returns what goes into `output`, and callers get what comes out of that. With plain types the types are a
 * promise: nothing is checked at run time.
 *
 * @param name - unique over all that share a broker: 1 to 100 letters, digits, `_`, `.`, `-`.
 * @throws OptionError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function defineTask<TInput extends Schema>(
  name: string,
  options: TaskDefinition & { readonly broadcast: true; readonly input: TInput; readonly output?: undefined },
): Task<SchemaInput<TInput>, SchemaOutput<TInput>, unknown, Broadcasted>;
export function defineTask<TInput = void>(
  name: string,
  options: TaskDefinition & { readonly broadcast: true; readonly input?: undefined; readonly output?: undefined },
): Task<TInput, TInput, unknown, Broadcasted>;
export function defineTask<TInput extends Schema, TOutput extends Schema>(
  name: string,
  options: OrdinaryDefinition<SchemaOutput<TInput>, SchemaInput<TInput>> & {
    readonly input: TInput;
    readonly output: TOutput;
  },
): Task<SchemaInput<TInput>, SchemaOutput<TInput>, SchemaInput<TOutput>, SchemaOutput<TOutput>>;
export function defineTask<TInput extends Schema>(
  name: string,
  options: OrdinaryDefinition<SchemaOutput<TInput>, SchemaInput<TInput>> & {
    readonly input: TInput;
    readonly output?: undefined;
  },
): Task<SchemaInput<TInput>, SchemaOutput<TInput>, unknown, unknown>;
export function defineTask<TOutput extends Schema>(
  name: string,
  options: OrdinaryDefinition<void> & { readonly input?: undefined; readonly output: TOutput },
): Task<void, void, SchemaInput<TOutput>, SchemaOutput<TOutput>>;
export function defineTask<TInput = void, TOutput = void>(
  name: string,
  options?: OrdinaryDefinition<TInput> & { readonly input?: undefined; readonly output?: undefined },
): Task<TInput, TInput, TOutput, TOutput>;
export function defineTask(
  name: string,
  options: TaskDefinition<never> & { readonly input?: Schema | undefined; readonly output?: Schema | undefined } = {},
): Task {
  const { input, output, ...rest } = options;
  const task: Task & { readonly [taskBrand]: true } = {
    [taskBrand]: true,
    name: checkName("task", name),
    options: resolveDefinition(name, rest),
    input: input === undefined ? undefined : checkSchema(`task ${name}, input`, input),
    output: output === undefined ? undefined : checkSchema(`task ${name}, output`, output),
    handler: (first: unknown, second?: unknown) => makeHandler(task, first, second),
  };
  return Object.freeze(task);
}

function makeHandler(task: Task, first: unknown, second: unknown): TaskHandler<unknown, unknown> {
  if (second === undefined && typeof first !== "object") return createHandler(task, first as Run);
  return createHandler(task, second as Run, checkNeeds(`task ${task.name}, handler`, first, contextNames));
}

type Run = (input: unknown, context: HandlerContext) => unknown;

/** Whether `value` was made by `defineTask`, of whichever copy of this package. */
export function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && taskBrand in value;
}
