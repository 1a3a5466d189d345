import { setTimeout as wait } from "node:timers/promises";
import type { Enqueued } from "../enqueue/enqueued.ts";
import type { Outcome } from "../outcome.ts";
import type { PlanNode } from "../plan.ts";
import type { CancelStatus } from "./canceller.ts";
import { defaultReason } from "./canceller.ts";
import type { OutcomeReader, TaskStatus, WaitLimits } from "./outcome-reader.ts";
import { countTasks, readTree, type TreeParts, type WorkflowTree } from "./workflow-tree.ts";

/** The caller's view of one enqueued workflow. */
export interface WorkflowHandle<TResult = unknown> {
  readonly id: string;
  /** Waits for what its last step gives. Errors as of `Handle.result`. */
  result(options?: WaitLimits): Promise<TResult>;
  /** Waits for the outcome of the whole, as a union. */
  outcome(options?: WaitLimits): Promise<Outcome<TResult>>;
  /** What is known now, without waiting. */
  get(): Promise<TaskStatus<TResult>>;
  /** How many of its tasks have ended, of those that are known; looked at twice a second, until the workflow has ended. */
  progress(options?: {
    readonly signal?: AbortSignal;
  }): AsyncIterable<{ readonly done: number; readonly total: number }>;
  /** The state of each node. */
  tree(): Promise<WorkflowTree>;
  /**
   * Cancels it and everything below: its outcome stands at once, what waits never starts, what runs sees its signal abort.
   *
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  cancel(reason?: string): Promise<CancelStatus>;
}

export interface WorkflowReaders extends TreeParts {
  readonly outcomes: OutcomeReader;
  readonly cancel: (id: string, reason: string) => Promise<CancelStatus>;
}

const lookInterval = 500;

/** Looks at what became of a workflow. */
export class StartedWorkflow implements WorkflowHandle {
  readonly id: string;
  readonly #node: PlanNode;
  readonly #enqueued: Enqueued;
  readonly #readers: WorkflowReaders;

  constructor(node: PlanNode, enqueued: Enqueued, readers: WorkflowReaders) {
    this.id = enqueued.id;
    this.#node = node;
    this.#enqueued = enqueued;
    this.#readers = readers;
  }

  result(limits?: WaitLimits): Promise<unknown> {
    return this.#readers.outcomes.result(this.#enqueued, limits);
  }

  outcome(limits?: WaitLimits): Promise<Outcome> {
    return this.#readers.outcomes.outcome(this.#enqueued, limits);
  }

  get(): Promise<TaskStatus> {
    return this.#readers.outcomes.get(this.#enqueued);
  }

  tree(): Promise<WorkflowTree> {
    return readTree(this.#node, this.id, this.#readers);
  }

  cancel(reason = defaultReason): Promise<CancelStatus> {
    return this.#readers.cancel(this.id, reason);
  }

  async *progress({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<{
    readonly done: number;
    readonly total: number;
  }> {
    let last = "";
    while (signal?.aborted !== true) {
      const tree = await this.tree();
      const count = countTasks(tree);
      if (JSON.stringify(count) !== last) yield count;
      last = JSON.stringify(count);
      if (tree.status !== "waiting" && tree.status !== "pending") return;
      await wait(lookInterval, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }
}
