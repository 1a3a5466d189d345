import { createBatcher } from "../batcher.ts";
import type { Broker } from "../broker.ts";
import { type Duration, parseDuration } from "../duration.ts";
import type { Enqueued } from "../enqueue/enqueued.ts";
import { reviveError } from "../error-record.ts";
import {
  isTaskferryError,
  ResultMissingError,
  ResultTimeoutError,
  TaskCancelledError,
  TaskFailedError,
  UnsupportedCapabilityError,
} from "../errors.ts";
import type { GroupReader } from "../group-results.ts";
import { idTime } from "../id.ts";
import { canInspect, openSections } from "../inspection.ts";
import type { Outcome, StoredOutcome } from "../outcome.ts";
import type { ResultBackend } from "../result-backend.ts";
import type { TaskStage } from "../stage.ts";
import { toOutcome } from "../to-outcome.ts";

/** How long a wait may last. Default: for ever. */
export interface WaitLimits {
  readonly signal?: AbortSignal;
  readonly timeout?: Duration;
}

/**
 * What is known of a task: its outcome, or `pending` (it waits, is delayed or runs), `expired` (it ended longer ago than
 * its outcome is kept) or `unknown` (no trace of it).
 */
export type TaskStatus<TResult = unknown> =
  | Outcome<TResult>
  /** `stage` for a task that is tracked. */
  | { readonly status: "pending"; readonly id: string; readonly stage?: TaskStage }
  | { readonly status: "expired" | "unknown"; readonly id: string };

/** Reads and awaits outcomes for handles. */
export interface OutcomeReader {
  result(parts: Enqueued, limits?: WaitLimits): Promise<unknown>;
  outcome(parts: Enqueued, limits?: WaitLimits): Promise<Outcome>;
  get(parts: Enqueued): Promise<TaskStatus>;
}

export interface OutcomeReaderParts {
  readonly results: ResultBackend;
  readonly broker: Broker;
  /** Reads results, those of groups too. */
  readonly groups: GroupReader;
}

export function createOutcomeReader({ results, broker, groups }: OutcomeReaderParts): OutcomeReader {
  const reads = createBatcher<string, StoredOutcome | undefined>({
    run: (ids) => results.get(ids),
    maxItems: 500,
    maxInFlight: 4,
  });

  const get = async (parts: Enqueued): Promise<TaskStatus> => {
    if (results.capabilities.kept === false) return getReceived(parts);
    // It may end between a look for its outcome and one into its queue, and change its section during the latter.
    for (let look = 0; look < 3; look += 1) {
      const stored = await reads.add(parts.id);
      if (stored !== undefined) return toOutcome(stored, groups.read);
      if (isRecent(parts) || (await (parts.isUnderWay?.() ?? isQueued(broker, parts))))
        return { status: "pending", id: parts.id };
    }
    return { status: hasOutlived(parts) ? "expired" : "unknown", id: parts.id };
  };
  /** Where outcomes are not kept, only what has come to this process is known, and comes only of what it enqueued. */
  const getReceived = async (parts: Enqueued): Promise<TaskStatus> => {
    const stored = await reads.add(parts.id);
    if (stored !== undefined) return toOutcome(stored, groups.read);
    if (parts.enqueuedAt === undefined) throw notKept(results.name, parts.id);
    return { status: isRecent(parts) ? "pending" : "expired", id: parts.id };
  };
  const outcome = async (parts: Enqueued, limits: WaitLimits = {}): Promise<Outcome> => {
    const stop = new AbortController();
    const unlink = linkLimits(parts.id, limits, stop);
    try {
      // A handle attached by id may name a task that was never there, or whose outcome is gone: look, while waiting.
      if (!isRecent(parts))
        void get(parts).then(
          (status) => stopUnlessPossible(status, stop),
          (error: unknown) => isTaskferryError(error, "UNSUPPORTED_CAPABILITY") && stop.abort(error),
        );
      return await toOutcome(await results.wait(parts.id, { signal: stop.signal }), groups.read);
    } finally {
      unlink();
    }
  };
  return { get, outcome, result: async (parts, limits) => unwrap(await outcome(parts, limits)) };
}

/** Enqueued by this client, and no longer ago than its outcome would be kept: it cannot have expired. */
function isRecent({ enqueuedAt, resultTtl }: Enqueued): boolean {
  return enqueuedAt !== undefined && Date.now() - enqueuedAt < resultTtl;
}

function hasOutlived({ id, enqueuedAt, resultTtl }: Enqueued): boolean {
  const since = enqueuedAt ?? idTime(id);
  return since !== undefined && Date.now() - since >= resultTtl;
}

export async function isQueued(broker: Broker, { id, queue }: Pick<Enqueued, "id" | "queue">): Promise<boolean> {
  // A broker that cannot be looked into gives no reason to believe that the task is gone.
  if (broker.admin === undefined || !openSections.every((section) => canInspect(broker, section))) return true;
  for (const section of openSections) {
    if ((await broker.admin.read(queue, section, id)) !== undefined) return true;
  }
  return false;
}

function linkLimits(id: string, { signal, timeout }: WaitLimits, stop: AbortController): () => void {
  const milliseconds = timeout === undefined ? undefined : parseDuration(timeout, "timeout");
  const timer =
    milliseconds === undefined
      ? undefined
      : setTimeout(() => stop.abort(new ResultTimeoutError(id, milliseconds)), milliseconds);
  const onAbort = (): void => stop.abort(signal?.reason);
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
}

function stopUnlessPossible(status: TaskStatus, stop: AbortController): void {
  if (status.status === "expired") {
    stop.abort(
      new ResultMissingError(
        "RESULT_EXPIRED",
        status.id,
        `Task ${status.id} ended longer ago than its outcome is kept (\`resultTtl\`).`,
      ),
    );
  }
  if (status.status === "unknown") {
    stop.abort(
      new ResultMissingError(
        "RESULT_UNKNOWN",
        status.id,
        `Task ${status.id} is not known: it neither waits nor runs in its queue, and has no outcome. Check the id, the task's queue, the broker and the result backend.`,
      ),
    );
  }
}

function notKept(name: string, id: string): UnsupportedCapabilityError {
  return new UnsupportedCapabilityError(
    "kept",
    `${name} keeps no outcomes: that of task ${id} goes to the client that enqueued it, and to nobody else. Set \`results\` to a backend that keeps them, to read and await them from anywhere.`,
  );
}

function unwrap(outcome: Outcome): unknown {
  switch (outcome.status) {
    case "succeeded":
      return outcome.result;
    case "failed":
      throw new TaskFailedError(
        outcome,
        `Task ${outcome.task} (${outcome.id}) failed: ${outcome.error.name}: ${outcome.error.message}`,
        reviveError(outcome.error),
      );
    case "cancelled":
      throw new TaskCancelledError(outcome.code, outcome.id, outcome.reason);
  }
}
