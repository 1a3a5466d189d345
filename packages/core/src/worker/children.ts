import type { BareHandle, CallableTask } from "../callable-task.ts";
import { type Cancellation, cancellationKey, cancellationTtl, childrenKey, decodeRecord } from "../cancellation.ts";
import { AbortedError, ConfigurationError } from "../errors.ts";
import { createId } from "../id.ts";
import type { StateStore } from "../state-store.ts";
import type { EnqueueOptions } from "../task-options.ts";
import type { EnqueueChild } from "./context.ts";
import type { Job } from "./job.ts";

export interface ChildParts {
  readonly state: StateStore | undefined;
  readonly enqueue: (task: CallableTask, input: unknown, options: EnqueueOptions | undefined) => Promise<BareHandle>;
}

/** Enqueues tasks for handlers, and binds them to their parents where that is asked for. */
export function createChildren({ state, enqueue }: ChildParts): EnqueueChild {
  return async (parent, task, { input, options }) => {
    if (parent.aborted !== undefined) throw parent.aborted;
    if (options?.bound !== true) return enqueue(task, input, options);
    const { bound: _, ...rest } = options;
    const id = options.id ?? createId();
    await bind(parent, id, state);
    return enqueue(task, input, { ...rest, id });
  };
}

/**
 * First the child is written down, then the parent's cancellation is looked for; who cancels writes the cancellation
 * first and then reads the children. So one of the two sees the other.
 */
async function bind(parent: Job, child: string, state: StateStore | undefined): Promise<void> {
  if (state === undefined)
    throw new ConfigurationError(
      "STATE_REQUIRED",
      "A bound task needs a state store. Set `state`, or a broker or result backend that offers one.",
    );
  const { id, run } = parent.message;
  await state.add(childrenKey(id), [child], { ttl: cancellationTtl });
  const [entry] = await state.get([cancellationKey(id)]);
  const record = entry === undefined ? undefined : decodeRecord<Cancellation>(entry.value);
  if (record !== undefined && run <= record.run) throw new AbortedError("TASK_CANCELLED", record.reason);
}
