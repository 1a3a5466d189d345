import type { CallableTask } from "./callable-task.ts";
import { type Duration, parseDuration } from "./duration.ts";
import { OptionError } from "./errors.ts";
import type { GroupResults } from "./group-results.ts";
import { defaultPriority } from "./message.ts";
import type { Outcome } from "./outcome.ts";
import type { FailureRule, PlanNode, TaskNode } from "./plan.ts";
import type { Schema } from "./schema.ts";
import { type ResolvedTaskOptions, resolveTaskOptions, type TaskOptions } from "./task-options.ts";

const workflowBrand = Symbol.for("taskferry.workflow");

/** What a node knows before it is enqueued: the client checks inputs by its schema, and writes one of its own. */
export const inputSchema = Symbol.for("taskferry.workflow.schema");
export const boundInput = Symbol.for("taskferry.workflow.input");

export interface BuiltNode extends TaskNode {
  readonly [inputSchema]?: Schema | undefined;
  readonly [boundInput]?: { readonly input: unknown };
}

/**
 * Tasks that follow from one another: a value, made by {@link chain}, {@link group}, {@link map}, {@link chord} or
 * {@link step}, and enqueued like a task. Nothing holds a worker slot while it waits.
 */
export interface Workflow<TInput = unknown, TOutput = unknown> {
  readonly node: PlanNode;
  readonly [workflowBrand]: true;
  /** Carries the types; never set. */
  readonly "~types"?: { readonly callerInput: TInput; readonly callerOutput: TOutput };
}

/** What a workflow is made of: a task, or a workflow. */
export type Step = CallableTask | Workflow;

/** What a step takes, and what it gives to the next. */
export type StepInput<TStep> = TStep extends { readonly "~types"?: { readonly callerInput: infer TInput } }
  ? TInput
  : never;
export type StepOutput<TStep> = TStep extends { readonly "~types"?: { readonly callerOutput: infer TOutput } }
  ? TOutput
  : never;

/** Shown by the compiler where a step does not take what the one before it gives. */
export interface WrongLink<TGiven, TTaken> {
  readonly "the step before gives": TGiven;
  readonly "this step takes": TTaken;
}

/** Each step as it is, and a {@link WrongLink} where one does not fit the one before. */
export type Linked<TSteps extends readonly Step[]> = TSteps extends readonly [
  infer TFirst extends Step,
  infer TSecond extends Step,
  ...infer TRest extends readonly Step[],
]
  ? [StepOutput<TFirst>] extends [StepInput<TSecond>]
    ? readonly [TFirst, ...Linked<readonly [TSecond, ...TRest]>]
    : readonly [TFirst, WrongLink<StepOutput<TFirst>, StepInput<TSecond>>, ...TRest]
  : TSteps;

type First<TSteps extends readonly Step[]> = TSteps extends readonly [infer TFirst, ...unknown[]] ? TFirst : never;
type Last<TSteps extends readonly Step[]> = TSteps extends readonly [...unknown[], infer TLast] ? TLast : never;
type Outputs<TMembers extends readonly Step[]> = { readonly [K in keyof TMembers]: StepOutput<TMembers[K]> };
type Outcomes<TMembers extends readonly Step[]> = { readonly [K in keyof TMembers]: Outcome<StepOutput<TMembers[K]>> };
/** What suits all members: a value of each of their types. */
type CommonInput<TMembers extends readonly Step[]> = {
  [K in keyof TMembers]: (input: StepInput<TMembers[K]>) => void;
}[number] extends (input: infer TInput) => void
  ? TInput
  : never;

/** Options of one step of a workflow, over those of its task. */
export interface StepOptions extends Omit<TaskOptions, "acknowledge"> {
  /** How long it waits before it may start, from when what it follows has ended. */
  readonly delay?: Duration;
  readonly headers?: Readonly<Record<string, string>>;
  /** Runs with the same input when this step has failed for good, and gives the result in its place. */
  readonly fallback?: Step;
}

/** How a group deals with members that fail or are cancelled. */
export interface GroupOptions<TRule extends FailureRule = FailureRule> {
  /** `"fail"` (default): the group fails with the first of them, and the rest is cancelled. `"collect"`: it gives outcomes. */
  readonly onFailure?: TRule;
}

/** A task as a step with options of its own; with `input`, it takes that instead of what comes before it. */
export function step<TInput, TOutput>(
  task: CallableTask<TInput, TOutput>,
  options: StepOptions & { readonly input: TInput },
): Workflow<unknown, TOutput>;
export function step<TInput, TOutput>(
  task: CallableTask<TInput, TOutput>,
  options?: StepOptions,
): Workflow<TInput, TOutput>;
export function step(
  task: CallableTask,
  { fallback, delay, headers, ...options }: StepOptions & { readonly input?: unknown } = {},
): Workflow {
  const { input, ...own } = options;
  const subject = `step ${task.name}`;
  const resolved = resolveTaskOptions(own, subject, task.options);
  const node = {
    ...toNode(task, resolved),
    ...(delay !== undefined && { delay: parseDuration(delay, `${subject}, delay`) }),
    ...(headers !== undefined && { headers }),
    ...(fallback !== undefined && { fallback: nodeOf(fallback) }),
  };
  return toWorkflow("input" in options ? { ...node, [boundInput]: { input } } : node);
}

/**
 * One after the other, each with the result of the one before. The list that a group gives reaches the next step as a
 * list; {@link chord} gives it lazily.
 *
 * @throws OptionError `OPTION_INVALID` without any step.
 */
export function chain<const TSteps extends readonly [Step, ...Step[]]>(
  ...steps: TSteps & Linked<TSteps>
): Workflow<StepInput<First<TSteps>>, StepOutput<Last<TSteps>>> {
  if (steps.length === 0) throw new OptionError("OPTION_INVALID", "chain: expected at least one step, got none.");
  return toWorkflow({ kind: "chain", steps: (steps as readonly Step[]).map(nodeOf) });
}

/** All at once, each with the same input, or with its own (`step(task, { input })`). Gives their results, in order. */
export function group<const TMembers extends readonly Step[]>(
  members: TMembers,
  options?: GroupOptions<"fail">,
): Workflow<CommonInput<TMembers>, Outputs<TMembers>>;
export function group<const TMembers extends readonly Step[]>(
  members: TMembers,
  options: GroupOptions<"collect">,
): Workflow<CommonInput<TMembers>, Outcomes<TMembers>>;
export function group(members: readonly Step[], { onFailure = "fail" }: GroupOptions = {}): Workflow {
  return toWorkflow({ kind: "group", members: members.map(nodeOf), onFailure: checkRule("group", onFailure) });
}

/** The same step for each item of a list: of the input, or of what came before. Gives the results, in order. */
export function map<TStep extends Step>(
  member: TStep,
  options?: GroupOptions<"fail">,
): Workflow<readonly StepInput<TStep>[], readonly StepOutput<TStep>[]>;
export function map<TStep extends Step>(
  member: TStep,
  options: GroupOptions<"collect">,
): Workflow<readonly StepInput<TStep>[], readonly Outcome<StepOutput<TStep>>[]>;
export function map(member: Step, { onFailure = "fail" }: GroupOptions = {}): Workflow {
  return toWorkflow({ kind: "map", member: nodeOf(member), onFailure: checkRule("map", onFailure) });
}

/** A group or map, then a task that gets all its results as a lazy list: {@link GroupResults}. */
export function chord<TInput, const TList extends readonly unknown[], TOutput>(
  members: Workflow<TInput, TList>,
  then: CallableTask<GroupResults<TList>, TOutput>,
): Workflow<TInput, TOutput> {
  const { kind } = members.node;
  if (kind !== "group" && kind !== "map")
    throw new OptionError("OPTION_INVALID", `chord: expected a group or a map first, got a ${kind}.`);
  const callback: BuiltNode = { ...toNode(then, then.options), isLazy: true };
  return toWorkflow({ kind: "chain", steps: [members.node, callback] });
}

/** Whether `value` was made by one of the functions here, of whichever copy of this package. */
export function isWorkflow(value: unknown): value is Workflow {
  return typeof value === "object" && value !== null && workflowBrand in value;
}

function toWorkflow<TInput, TOutput>(node: PlanNode): Workflow<TInput, TOutput> {
  return Object.freeze({ node, [workflowBrand]: true as const });
}

function nodeOf(value: Step): PlanNode {
  if (isWorkflow(value)) return value.node;
  const task = value as CallableTask;
  return toNode(task, task.options);
}

/** @throws OptionError for a task that no workflow can keep its promises for. */
function toNode({ name, input }: CallableTask, options: ResolvedTaskOptions): BuiltNode {
  if (options.acknowledge !== "stored" || options.broadcast) {
    const found = options.broadcast ? "a broadcast" : `acknowledge: "${options.acknowledge}"`;
    throw new OptionError(
      "OPTION_INVALID",
      `The task ${name} as a step of a workflow: expected acknowledge: "stored", got ${found}. What follows would be lost with its worker.`,
    );
  }
  const { queue, priority, expires, retry, timeout, resultTtl } = options;
  return {
    [inputSchema]: input,
    kind: "task",
    task: name,
    queue,
    ...(priority !== defaultPriority && { priority }),
    ...(expires !== undefined && { expires }),
    policy: {
      attempts: retry.attempts,
      backoff: retry.backoff,
      ...(timeout !== undefined && { timeout }),
      resultTtl,
    },
  };
}

function checkRule(subject: string, rule: unknown): FailureRule {
  if (rule === "fail" || rule === "collect") return rule;
  throw new OptionError(
    "OPTION_INVALID",
    `${subject}, onFailure: expected "fail" or "collect", got ${JSON.stringify(rule)}.`,
  );
}
