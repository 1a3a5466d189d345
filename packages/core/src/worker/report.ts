import type { DeadLetterReason, Delivery, ReadableDelivery } from "../broker.ts";
import type { Emitter, TaskEvent, WorkerEvent } from "../events.ts";
import type { Logger } from "../logger.ts";
import type { Committed } from "./commit.ts";
import { Job, type Unrunnable } from "./job.ts";
import type { Verdict } from "./settle.ts";

export interface ReportParts {
  readonly subject: Job | Unrunnable;
  readonly verdict: Verdict;
  readonly committed: Committed;
  readonly emitter: Emitter<WorkerEvent>;
  readonly logger: Logger;
}

/** Tells listeners and the log what became of a delivery. */
export function tell({ subject, verdict, committed, emitter, logger }: ReportParts): void {
  if (committed !== "settled") {
    const { id, task } = identify(subject);
    const message =
      committed === "lost"
        ? "the delivery belongs to another worker now"
        : "the outcome could not be stored, or what follows not be started: the task comes again";
    logger.warn({ id, task }, message);
    emitter.emit(() => ({ type: committed === "lost" ? "task.lost" : "task.released", ...identify(subject) }));
    return;
  }
  log(subject, verdict, logger);
  if (emitter.isHeard) emitter.emit(() => toEvent(subject, verdict));
}

function log(subject: Job | Unrunnable, { store, then }: Verdict, logger: Logger): void {
  if (then.kind === "retry") {
    if (then.isLimited) return;
    logger.warn({ ...names(subject), delay: then.delay, error: then.error }, "the task failed and is retried");
  } else if (store?.status === "failed") {
    logger.error(
      { ...names(subject), error: store.error },
      subject instanceof Job ? "the task failed" : "the message cannot be run",
    );
  } else if (then.kind === "reject" && then.isUntrusted) {
    logger.error({ ...names(subject), code: then.code, reason: then.message }, "the message cannot be trusted");
  } else if (store?.status === "cancelled") {
    logger.warn({ ...names(subject), reason: store.reason }, "the task was cancelled");
  }
}

function toEvent(subject: Job | Unrunnable, { store, then }: Verdict): WorkerEvent {
  const base = identify(subject);
  if (then.kind === "reject" && then.isUntrusted)
    return { type: "task.rejected", ...base, reason: reasonOf(then, base) };
  if (store === undefined && (then.kind === "ack" || then.kind === "reject")) return { type: "task.repeated", ...base };
  if (then.kind === "retry" && then.isLimited) return { type: "task.limited", ...base, delay: then.delay };
  if (then.kind === "retry") return { type: "task.retrying", ...base, delay: then.delay, error: then.error };
  if (then.kind === "release") return { type: "task.released", ...base };
  if (store?.status === "cancelled") return { type: "task.cancelled", ...base, code: store.code, reason: store.reason };
  if (then.kind !== "reject" || store?.status !== "failed") return { type: "task.succeeded", ...base };
  if (subject instanceof Job) return { type: "task.failed", ...base, error: store.error };
  return { type: "task.rejected", ...base, reason: reasonOf(then, base) };
}

function reasonOf(
  { code, message }: Extract<Verdict["then"], { kind: "reject" }>,
  { at }: TaskEvent,
): DeadLetterReason {
  return { code, message, at };
}

function identify(subject: Job | Unrunnable): TaskEvent {
  const { message } = subject.delivery;
  return {
    at: Date.now(),
    id: message?.id ?? ("id" in subject ? subject.id : undefined) ?? "",
    task: message?.task ?? "",
    queue: message?.queue ?? "",
    attempt: message?.attempt ?? 0,
    run: message?.run ?? 0,
  };
}

function names(subject: Job | Unrunnable): object {
  const { id, task, queue, attempt } = identify(subject);
  return { id, task, queue, attempt };
}

/** Tells listeners of a handler that begins. The clocks of client and worker may differ. */
export function tellStarted({ delivery, message, startedAt }: Job, emitter: Emitter<WorkerEvent>): void {
  const wait = Math.max(0, startedAt - (message.notBefore ?? message.enqueuedAt));
  emitter.emit(() => ({ type: "task.started", ...describeDelivery(delivery), wait }));
}

/** Tells listeners of a handler that has ended. */
export function tellExecuted({ delivery, startedAt }: Job, emitter: Emitter<WorkerEvent>): void {
  emitter.emit(() => ({ type: "task.executed", ...describeDelivery(delivery), duration: Date.now() - startedAt }));
}

/** Tells listeners of what came in. */
export function tellReceived(deliveries: readonly Delivery[], emitter: Emitter<WorkerEvent>): void {
  if (!emitter.isHeard) return;
  for (const delivery of deliveries) {
    if (!isReadable(delivery)) continue;
    emitter.emit(() => ({
      type: "task.received",
      ...describeDelivery(delivery),
      deliveryCount: delivery.deliveryCount,
    }));
  }
}

/** Says in the log which tasks run where leases were renewed late. */
export function tellBlocked(
  jobs: readonly Job[],
  { logger, ...about }: { readonly queue: string; readonly milliseconds: number; readonly logger: Logger },
): void {
  logger.warn(
    { ...about, tasks: [...new Set(jobs.map(({ message }) => message.task))] },
    "the event loop was blocked: leases could not be renewed in time. Move blocking work out of the worker's event loop, or lengthen `lease`",
  );
}

export function isReadable(delivery: Delivery): delivery is ReadableDelivery {
  return delivery.message !== undefined;
}

export function describeDelivery({ message }: ReadableDelivery): TaskEvent {
  return {
    at: Date.now(),
    id: message.id,
    task: message.task,
    queue: message.queue,
    attempt: message.attempt,
    run: message.run,
  };
}
