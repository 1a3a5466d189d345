import {
  type BareHandle,
  type CallableTask,
  type ChildOptions,
  type HandlerContext,
  silentLogger,
} from "@taskferry/core";

/** A context for a handler that no worker runs, and what the handler did with it. */
export interface FakeContext extends HandlerContext {
  /** What it told through `progress`. */
  readonly reported: readonly { readonly value: number; readonly note: string | undefined }[];
  /** What it enqueued. Nothing runs it. */
  readonly children: readonly FakeChild[];
}

export interface FakeChild extends BareHandle {
  readonly input: unknown;
  readonly options: ChildOptions;
}

/** Makes a context; what `parts` leaves out is as on the first delivery of a task with the id `"test"`. */
export function fakeContext(parts: Partial<HandlerContext> = {}): FakeContext {
  const reported: FakeContext["reported"][number][] = [];
  const children: FakeChild[] = [];
  return {
    id: "test",
    task: "test",
    queue: "default",
    attempt: 0,
    run: 0,
    deliveryCount: 1,
    enqueuedAt: Date.now(),
    headers: {},
    signal: new AbortController().signal,
    log: silentLogger,
    progress: (value, note) => void reported.push({ value, note }),
    enqueue: async (task: CallableTask<never>, ...[input, options = {}]: readonly [unknown?, ChildOptions?]) => {
      const child = { id: options.id ?? `child-${children.length + 1}`, task: task.name, input, options };
      children.push(child);
      return child;
    },
    ...parts,
    reported,
    children,
  };
}
