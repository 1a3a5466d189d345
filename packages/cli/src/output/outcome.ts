import { inspect } from "node:util";
import type { ErrorRecord, Outcome, TaskStage, TaskStatus } from "@taskferry/core";
import { cleanText } from "./clean-text.ts";
import type { Paint } from "./paint.ts";
import { formatFields } from "./table.ts";
import { formatSpan, formatTime } from "./time.ts";

/** An outcome, or why there is none, for people. */
export function formatStatus(status: TaskStatus, paint: Paint): string {
  switch (status.status) {
    case "pending":
      return `Task ${status.id} has no outcome yet: ${describeStage(status.stage)}.`;
    case "expired":
      return `Task ${status.id} ended longer ago than its outcome is kept.`;
    case "unknown":
      return `Task ${status.id} is not known: it neither waits nor runs, and has no outcome.`;
    default:
      return formatOutcome(status, paint);
  }
}

function describeStage(stage: TaskStage | undefined): string {
  const { at, attempt = 0, worker = "", dueAt } = stage ?? {};
  if (stage?.name === "running" && at !== undefined)
    return `it runs since ${formatTime(at)} in ${cleanText(worker)}, attempt ${attempt}`;
  if (stage?.name === "retrying" && dueAt !== undefined)
    return `it comes again at ${formatTime(dueAt)}, attempt ${attempt}; it ran in ${cleanText(worker)}`;
  return "it waits, is delayed or runs";
}

function formatOutcome(outcome: Outcome, paint: Paint): string {
  const { id, task, attempt, run, enqueuedAt, startedAt, finishedAt, worker } = outcome;
  const fields = formatFields(
    {
      id,
      task,
      status: paint(outcome.status === "succeeded" ? "green" : "red", outcome.status),
      attempt,
      run: run === 0 ? undefined : run,
      enqueued: formatTime(enqueuedAt),
      finished:
        startedAt === undefined
          ? formatTime(finishedAt)
          : `${formatTime(finishedAt)} after ${formatSpan(finishedAt - startedAt)}`,
      worker: cleanText(worker),
    },
    paint,
  );
  return `${fields}\n${paint("dim", tailName(outcome))}\n${indent(formatTail(outcome))}`;
}

function tailName({ status }: Outcome): string {
  return status === "succeeded" ? "result" : status === "failed" ? "error" : "reason";
}

function formatTail(outcome: Outcome): string {
  switch (outcome.status) {
    case "succeeded":
      return cleanText(inspect(outcome.result, { depth: 20, maxArrayLength: 1_000, maxStringLength: 100_000 }));
    case "failed":
      return formatErrorRecord(outcome.error);
    case "cancelled":
      return cleanText(`${outcome.reason} (${outcome.code})`);
  }
}

/** A recorded error and its causes, a line each. */
function formatErrorRecord({ name, message, code, cause }: ErrorRecord): string {
  const line = cleanText(`${name}: ${message}${code === undefined ? "" : ` (${code})`}`);
  return cause === undefined ? line : `${line}\n  because: ${formatErrorRecord(cause)}`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
