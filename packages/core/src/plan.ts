import type { MessagePolicy } from "./message.ts";

/**
 * What follows a task. A workflow is a tree of nodes; a message carries the frames that its outcome goes through: what is
 * to be started with its result, whose outcome it is besides, which group it completes. `advance` says what follows from
 * an outcome and `start` how a node begins; both are pure. {@link PlanRunner} carries out what they answer.
 *
 * The ids of all tasks are derived from that of the workflow, so that whatever is done twice is done under the same id.
 */
export type PlanNode = TaskNode | ChainNode | GroupNode | MapNode;

/** One task. */
export interface TaskNode {
  readonly kind: "task";
  readonly task: string;
  readonly queue: string;
  readonly priority?: number;
  /** Milliseconds. */
  readonly delay?: number;
  readonly expires?: number;
  /** The message's policy: attempts, backoff, timeout, time to live of the outcome. */
  readonly policy: MessagePolicy;
  readonly headers?: Readonly<Record<string, string>>;
  /** Its own input. Absent: what came before it. */
  readonly input?: PlanValue;
  /** Whether a group's result reaches it as a lazy list rather than as the list itself. */
  readonly isLazy?: boolean;
  /** Started with the same input in its place when it has failed. */
  readonly fallback?: PlanNode;
}

/** One after the other, each with the result of the one before. */
export interface ChainNode {
  readonly kind: "chain";
  readonly steps: readonly PlanNode[];
}

/** All at once, each with the same input. */
export interface GroupNode {
  readonly kind: "group";
  readonly members: readonly PlanNode[];
  readonly onFailure: FailureRule;
}

/** One node for each item of a list. */
export interface MapNode {
  readonly kind: "map";
  readonly member: PlanNode;
  readonly onFailure: FailureRule;
}

/** `fail`: a member that fails or is cancelled fails the group, and the rest is cancelled. `collect`: outcomes are passed on. */
export type FailureRule = "fail" | "collect";

/** A serialized value. In a plan its bytes are base64. */
export interface PlanValue {
  readonly contentType: string;
  readonly body: string;
}

export type Frame =
  /** Starts the next step of the chain `base`. */
  | { readonly kind: "then"; readonly base: string; readonly index: number; readonly steps: readonly PlanNode[] }
  /** It is the outcome of `id` as well. */
  | { readonly kind: "as"; readonly id: string }
  /** It completes a group together with others. */
  | {
      readonly kind: "join";
      readonly group: string;
      readonly index: number;
      readonly size: number;
      readonly onFailure: FailureRule;
    }
  /** Starts `node` with the same input after a failure. */
  | { readonly kind: "rescue"; readonly id: string; readonly node: PlanNode };

/** What is to be done, in this order. */
export type Effect =
  /** Store the outcome that is being advanced under another id. */
  | { readonly kind: "record"; readonly id: string }
  /** Publish a task with `value`, or with its own input. */
  | { readonly kind: "publish"; readonly id: string; readonly node: TaskNode; readonly frames: readonly Frame[] }
  /** Keep `frames` for the group's end, then start each member. */
  | { readonly kind: "open"; readonly id: string; readonly node: GroupNode; readonly frames: readonly Frame[] }
  /** The same, with a member for each item of the value. */
  | { readonly kind: "spread"; readonly id: string; readonly node: MapNode; readonly frames: readonly Frame[] }
  /** Note that a member has come to its end; the last one goes on with the group's frames. */
  | { readonly kind: "join"; readonly frame: Extract<Frame, { kind: "join" }> }
  /** Cancel the rest of a group, and go on with its frames as failed. */
  | { readonly kind: "fail"; readonly group: string }
  /** Start a node with the input of the task that failed. */
  | { readonly kind: "rescue"; readonly effects: readonly Effect[] };

/** How a node begins. */
export function start(node: PlanNode, id: string, frames: readonly Frame[]): readonly Effect[] {
  switch (node.kind) {
    case "task":
      return [startTask(node, id, frames)];
    case "chain": {
      const [first, ...rest] = node.steps;
      if (first === undefined) return [];
      return start(first, `${id}:0`, rest.length === 0 ? frames : [toThen(id, 1, rest), ...frames]);
    }
    case "group":
      return [{ kind: "open", id, node, frames }];
    case "map":
      return [{ kind: "spread", id, node, frames }];
  }
}

/** What follows from an outcome. */
export function advance(frames: readonly Frame[], hasSucceeded: boolean): readonly Effect[] {
  const effects: Effect[] = [];
  for (const [at, frame] of frames.entries()) {
    const rest = frames.slice(at + 1);
    switch (frame.kind) {
      case "as":
        effects.push({ kind: "record", id: frame.id });
        break;
      case "then":
        if (hasSucceeded) return [...effects, ...startNext(frame, rest)];
        break;
      case "rescue":
        if (!hasSucceeded) return [...effects, { kind: "rescue", effects: start(frame.node, frame.id, rest) }];
        break;
      case "join":
        return [
          ...effects,
          hasSucceeded || frame.onFailure === "collect"
            ? { kind: "join", frame }
            : { kind: "fail", group: frame.group },
        ];
    }
  }
  return effects;
}

/** The frames of one member of a group: its outcome is stored under its id, whatever it is made of. */
export function memberFrames(node: PlanNode, id: string, join: Extract<Frame, { kind: "join" }>): readonly Frame[] {
  return hasOwnOutcome(node) ? [join] : [{ kind: "as", id }, join];
}

/** Whether the one outcome of a node is that of its task: with a fallback, there are two. */
export function hasOwnOutcome(node: PlanNode): boolean {
  return node.kind === "task" && node.fallback === undefined;
}

/** The frames of a whole workflow. */
export function rootFrames(node: PlanNode, id: string): readonly Frame[] {
  return hasOwnOutcome(node) ? [] : [{ kind: "as", id }];
}

/** Every task of a plan. */
export function* tasksOf(node: PlanNode): Generator<TaskNode> {
  switch (node.kind) {
    case "task":
      yield node;
      if (node.fallback !== undefined) yield* tasksOf(node.fallback);
      return;
    case "chain":
      for (const step of node.steps) yield* tasksOf(step);
      return;
    case "group":
      for (const member of node.members) yield* tasksOf(member);
      return;
    case "map":
      yield* tasksOf(node.member);
  }
}

/** Whether a plan needs facts that its members share. */
export function hasGroups(node: PlanNode): boolean {
  switch (node.kind) {
    case "task":
      return node.fallback !== undefined && hasGroups(node.fallback);
    case "chain":
      return node.steps.some(hasGroups);
    default:
      return true;
  }
}

/** A task whose outcome is just that of what it is part of has its id: there is one outcome to store then, not two. */
function startTask(node: TaskNode, id: string, frames: readonly Frame[]): Effect {
  const [first, ...rest] = frames;
  if (node.fallback === undefined) {
    return first?.kind === "as"
      ? { kind: "publish", id: first.id, node, frames: rest }
      : { kind: "publish", id, node, frames };
  }
  const rescue: Frame = { kind: "rescue", id: `${id}:else`, node: node.fallback };
  return { kind: "publish", id: `${id}:try`, node, frames: [rescue, ...frames] };
}

function startNext(
  { base, index, steps }: Extract<Frame, { kind: "then" }>,
  frames: readonly Frame[],
): readonly Effect[] {
  const [next, ...rest] = steps;
  if (next === undefined) return [];
  return start(next, `${base}:${index}`, rest.length === 0 ? frames : [toThen(base, index + 1, rest), ...frames]);
}

function toThen(base: string, index: number, steps: readonly PlanNode[]): Frame {
  return { kind: "then", base, index, steps };
}
