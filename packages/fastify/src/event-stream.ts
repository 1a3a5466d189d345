import { type Handle, isTaskferryError, type Progress, type TaskStatus } from "@taskferry/core";
import { toJson } from "./task-view.ts";

export interface FollowParts {
  readonly handle: Handle;
  /** Ends the stream: the reader has gone, or the application closes. */
  readonly signal: AbortSignal;
  /** Milliseconds of silence after which a comment tells proxies that the stream lives. */
  readonly heartbeat: number;
  readonly present: (status: TaskStatus) => unknown;
}

/** The id of the last event: a browser that connects again with it has all there is. */
export const lastEventId = "ended";

/**
 * A task as server-sent events: `progress` for each that the handler reports, then one `outcome`.
 *
 * @throws ConfigurationError `STATE_REQUIRED` where there is no state store.
 */
export function followTask(parts: FollowParts): AsyncGenerator<string> {
  // It throws now, while the answer has not begun.
  return stream(parts.handle.progress({ signal: parts.signal })[Symbol.asyncIterator](), parts);
}

async function* stream(
  steps: AsyncIterator<Progress>,
  { handle, signal, heartbeat, present }: FollowParts,
): AsyncGenerator<string> {
  yield "retry: 1000\n\n";
  for (let next = steps.next(); ; ) {
    const step = await within(heartbeat, next);
    if (step === undefined) {
      yield ": still here\n\n";
      continue;
    }
    if (step.done === true) break;
    yield `event: progress\ndata: ${toJson(step.value)}\n\n`;
    next = steps.next();
  }
  if (signal.aborted) return;
  const status = await end(handle, signal);
  if (status !== undefined) yield `id: ${lastEventId}\nevent: outcome\ndata: ${toJson(present(status))}\n\n`;
}

/** `undefined` when the stream ended first. */
async function end(handle: Handle, signal: AbortSignal): Promise<TaskStatus | undefined> {
  try {
    return await handle.outcome({ signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    if (isTaskferryError(error, "RESULT_EXPIRED")) return { status: "expired", id: handle.id };
    if (isTaskferryError(error, "RESULT_UNKNOWN")) return { status: "unknown", id: handle.id };
    throw error;
  }
}

async function within<T>(limit: number, waiting: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limit);
  });
  try {
    return await Promise.race([waiting, over]);
  } finally {
    clearTimeout(timer);
  }
}
