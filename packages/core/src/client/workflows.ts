import type { Broker } from "../broker.ts";
import { cancellationKey, cancellationTtl, encodeRecord } from "../cancellation.ts";
import { checkPublishable } from "../capability-checks.ts";
import { type Duration, parseDuration } from "../duration.ts";
import { ConfigurationError, MessageError } from "../errors.ts";
import { createId } from "../id.ts";
import { checkId } from "../message.ts";
import { hasGroups, hasOwnOutcome, type PlanNode, rootFrames, type TaskNode, tasksOf } from "../plan.ts";
import { GroupStore } from "../plans/group-store.ts";
import type { PlanRunner } from "../plans/plan-runner.ts";
import type { RawValue } from "../plans/raw-value.ts";
import type { ResultBackend } from "../result-backend.ts";
import { validate } from "../schema.ts";
import type { SerializerSet } from "../serializer-set.ts";
import type { StateStore } from "../state-store.ts";
import { type BuiltNode, boundInput, inputSchema, type Workflow } from "../workflow.ts";
import type { CancelStatus } from "./canceller.ts";
import { isQueued, type OutcomeReader } from "./outcome-reader.ts";
import { StartedWorkflow, type WorkflowHandle } from "./workflow-handle.ts";
import { countTasks, readTree, type TreeParts } from "./workflow-tree.ts";

/** Options of one enqueue of a workflow; those of its steps stand with the steps. */
export interface WorkflowOptions {
  /** Its id: 1 to 150 letters, digits, `_.:-`; those of its steps are derived from it. Default: a UUID of version 7. */
  readonly id?: string;
  /** How long its outcomes, and what its members share, are kept at least: longer than it takes. Default `"7d"`. */
  readonly ttl?: Duration;
}

/** Starts workflows and looks at them. */
export interface Workflows {
  start(workflow: Workflow, input: unknown, options?: WorkflowOptions): Promise<WorkflowHandle>;
  handle(workflow: Workflow, id: string): WorkflowHandle;
}

export interface WorkflowParts {
  readonly broker: Broker;
  readonly results: ResultBackend;
  readonly state: StateStore | undefined;
  readonly serializers: SerializerSet;
  readonly outcomes: OutcomeReader;
  readonly runner: PlanRunner;
  readonly maxBodyBytes: number;
}

/** When it was enqueued, if that is known, and for how long it is kept. */
interface Known {
  readonly enqueuedAt: number | undefined;
  readonly ttl: number;
}

const defaultTtl = 7 * 86_400_000;
const longestId = 150;

export function createWorkflows(parts: WorkflowParts): Workflows {
  const { broker, results, state, outcomes, runner } = parts;
  const groups = state === undefined ? undefined : new GroupStore(state);
  const readers = { results, groups, outcomes, cancel: (id: string, reason: string) => cancel(parts, id, reason) };
  const toHandle = (node: PlanNode, id: string, { enqueuedAt, ttl }: Known): WorkflowHandle => {
    const isUnderWay = (): Promise<boolean> => hasTraces(node, id, { broker, results, groups });
    return new StartedWorkflow(node, { id, task: "", queue: "", enqueuedAt, resultTtl: ttl, isUnderWay }, readers);
  };
  return {
    start: async (workflow, input, options = {}) => {
      const ttl = parseDuration(options.ttl ?? defaultTtl, "workflow, ttl");
      const id = checkRoot(options.id ?? createId());
      checkKept(workflow.node, { broker, state });
      const node = hasInputs(workflow.node) ? await writeInputs(workflow.node, parts) : workflow.node;
      const value = await writeInput(workflow.node, input, parts);
      const enqueuedAt = Date.now();
      await runner.start(node, id, { frames: rootFrames(node, id), run: 0, ttl, value });
      return toHandle(node, id, { enqueuedAt, ttl });
    },
    handle: ({ node }, id) => toHandle(node, checkRoot(id), { enqueuedAt: undefined, ttl: defaultTtl }),
  };
}

/** The record keeps every step from starting; the outcome of the whole stands at once, for nothing runs under its name alone. */
async function cancel({ results, state }: WorkflowParts, id: string, reason: string): Promise<CancelStatus> {
  if (state === undefined) throw stateRequired("Cancelling a workflow");
  const [ended] = await results.get([id]);
  if (ended !== undefined) return "finished";
  const now = Date.now();
  const value = encodeRecord({ run: 0, reason, mode: "graceful", at: now });
  await state.put([{ key: cancellationKey(id), value, ttl: cancellationTtl }]);
  await results.store([
    {
      id,
      run: 0,
      task: "",
      attempt: 0,
      status: "cancelled",
      code: "TASK_CANCELLED",
      reason,
      enqueuedAt: now,
      finishedAt: now,
      worker: "",
      ttl: defaultTtl,
    },
  ]);
  return "finished";
}

/** @throws OptionError `NAME_INVALID` */
function checkRoot(id: string): string {
  checkId(id);
  if (id.length > longestId) checkId("");
  return id;
}

/** @throws UnsupportedCapabilityError, ConfigurationError `STATE_REQUIRED` */
function checkKept(node: PlanNode, { broker, state }: Pick<WorkflowParts, "broker" | "state">): void {
  if (state === undefined && hasGroups(node)) throw stateRequired("A workflow with a group");
  for (const task of tasksOf(node)) checkPublishable(broker, task, task.delay ?? 0);
}

function hasInputs(node: PlanNode): boolean {
  for (const task of tasksOf(node)) if (boundInput in task) return true;
  return false;
}

/** Replaces the inputs that steps were given by their serialized forms, each checked by its task's schema. */
async function writeInputs(node: PlanNode, parts: WorkflowParts): Promise<PlanNode> {
  const all = (nodes: readonly PlanNode[]): Promise<readonly PlanNode[]> =>
    Promise.all(nodes.map((each) => writeInputs(each, parts)));
  switch (node.kind) {
    case "task": {
      const { fallback, ...rest } = node as BuiltNode;
      const bound = (node as BuiltNode)[boundInput];
      const value = bound === undefined ? undefined : await writeInput(node, bound.input, parts);
      return {
        ...rest,
        ...(value !== undefined && {
          input: { contentType: value.contentType, body: Buffer.from(value.body).toString("base64") },
        }),
        ...(fallback !== undefined && { fallback: await writeInputs(fallback, parts) }),
      } as TaskNode;
    }
    case "chain":
      return { ...node, steps: await all(node.steps) };
    case "group":
      return { ...node, members: await all(node.members) };
    case "map":
      return { ...node, member: await writeInputs(node.member, parts) };
  }
}

/** Checks an input by the schemas of the tasks that get it, and serializes it. */
async function writeInput(node: PlanNode, input: unknown, parts: WorkflowParts): Promise<RawValue> {
  const { serializers, maxBodyBytes } = parts;
  for (const { task, [inputSchema]: schema } of firstTasks(node)) {
    if (schema !== undefined) await validate(schema, input, { code: "INPUT_INVALID", name: `The input of ${task}` });
  }
  const body = serializers.serialize(input);
  if (body.length <= maxBodyBytes) return { contentType: serializers.contentType, body };
  throw new MessageError(
    "MESSAGE_TOO_LARGE",
    `Enqueue of a workflow: expected an input of at most ${maxBodyBytes} bytes when serialized, got ${body.length}. Send a reference to the data, or raise \`maxBodyBytes\` in client and worker.`,
  );
}

/** The tasks that get the input as it is. */
function firstTasks(node: PlanNode): readonly BuiltNode[] {
  switch (node.kind) {
    case "task":
      return [node as BuiltNode];
    case "chain":
      return node.steps.slice(0, 1).flatMap(firstTasks);
    case "group":
      return node.members.flatMap(firstTasks).filter((task) => task[boundInput] === undefined);
    case "map":
      return [];
  }
}

/** Whether a step has ended, a group has begun, or the first task waits or runs. */
async function hasTraces(
  node: PlanNode,
  id: string,
  { broker, ...parts }: TreeParts & { readonly broker: Broker },
): Promise<boolean> {
  if (broker.admin === undefined) return true;
  const { task, group } = firstsOf(node, id);
  if (task !== undefined && (await isQueued(broker, task))) return true;
  if (group !== undefined && (await parts.groups?.find(group)) !== undefined) return true;
  return countTasks(await readTree(node, id, parts)).done > 0;
}

/** What a workflow begins with. */
function firstsOf(
  node: PlanNode,
  id: string,
): { readonly task?: { readonly id: string; readonly queue: string }; readonly group?: string } {
  if (node.kind === "task") return { task: { id: hasOwnOutcome(node) ? id : `${id}:try`, queue: node.queue } };
  if (node.kind !== "chain") return { group: id };
  const [first] = node.steps;
  if (first === undefined) return {};
  return node.steps.length === 1 && first.kind === "task" && hasOwnOutcome(first)
    ? { task: { id, queue: first.queue } }
    : firstsOf(first, `${id}:0`);
}

function stateRequired(what: string): ConfigurationError {
  return new ConfigurationError(
    "STATE_REQUIRED",
    `${what} needs a state store. Set \`state\`, or a broker or result backend that offers one.`,
  );
}
