import { MessageError } from "./errors.ts";
import { isPlainName, isPlainText } from "./plain-text.ts";

/** How a task ended. `TResult` is what the caller of the task gets. */
export type Outcome<TResult = unknown> = SucceededOutcome<TResult> | FailedOutcome | CancelledOutcome;

interface OutcomeBase {
  readonly id: string;
  readonly task: string;
  /** Failures of the handler before this outcome, this one included when it failed. */
  readonly attempt: number;
  /** Replays from the dead letters. The outcome of a higher run replaces that of a lower one. */
  readonly run: number;
  /** Wall-clock times in epoch milliseconds. `startedAt` is missing when the handler never ran. */
  readonly enqueuedAt: number;
  readonly startedAt?: number;
  readonly finishedAt: number;
  /** The name of the worker that decided it. */
  readonly worker: string;
}

export interface SucceededOutcome<TResult = unknown> extends OutcomeBase {
  readonly status: "succeeded";
  readonly result: TResult;
}

export interface FailedOutcome extends OutcomeBase {
  readonly status: "failed";
  readonly error: ErrorRecord;
}

export interface CancelledOutcome extends OutcomeBase {
  readonly status: "cancelled";
  readonly reason: string;
  readonly code: "TASK_CANCELLED" | "TASK_EXPIRED";
}

/** An error as plain data, as outcomes and dead letters carry it. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorRecord;
}

/**
 * An outcome as a result backend keeps it: plain data, the result still serialized. A backend reads `id`, `run` and
 * `ttl` and stores {@link encodeOutcome}'s bytes.
 */
export interface StoredOutcome extends OutcomeBase {
  readonly status: Outcome["status"];
  /** Present when succeeded. */
  readonly result?: { readonly contentType: string; readonly body: Uint8Array };
  /** Present when failed. */
  readonly error?: ErrorRecord;
  /** Present when cancelled. */
  readonly reason?: string;
  readonly code?: CancelledOutcome["code"];
  /** Present where the worker signs results. */
  readonly signature?: string;
  /** How long the backend keeps it, in milliseconds from the time it is stored. */
  readonly ttl: number;
  /** Who waits for it, from the message. Read by backends that keep nothing; not encoded. */
  readonly replyTo?: string;
}

const newline = 0x0a;
/** Causes inside one another that a reader accepts; writers stop earlier. */
const maxCauses = 16;

/**
 * The bytes of a stored outcome: one line of JSON, a line feed, the serialized result. `docs/wire-format.md` has the
 * fields.
 *
 * @param prefix - what a backend wants in front, in Latin-1. Default: nothing.
 */
export function encodeOutcome(outcome: StoredOutcome, prefix = ""): Uint8Array {
  const line = outcomeLine(outcome);
  const body = outcome.result?.body;
  const bytes = Buffer.allocUnsafe(prefix.length + Buffer.byteLength(line) + 1 + (body?.length ?? 0));
  const start = prefix === "" ? 0 : bytes.write(prefix, "latin1");
  const end = start + bytes.write(line, start);
  bytes[end] = newline;
  if (body !== undefined) bytes.set(body, end + 1);
  return bytes;
}

/** The same as JSON.stringify of {@link toFields}, at half the price for the commonest: a success without a signature. */
function outcomeLine(outcome: StoredOutcome): string {
  const { id, run, task, attempt, status, enqueuedAt, startedAt, finishedAt, worker, ttl, result, signature } = outcome;
  const isCommon =
    result !== undefined &&
    signature === undefined &&
    outcome.error === undefined &&
    outcome.reason === undefined &&
    outcome.code === undefined &&
    Number.isFinite(run + attempt + enqueuedAt + (startedAt ?? 0) + finishedAt + ttl) &&
    isPlainText(id) &&
    isPlainName(task) &&
    isPlainName(worker) &&
    isPlainName(result.contentType);
  if (!isCommon) return JSON.stringify(toFields(outcome));
  return (
    `{"v":1,"id":"${id}","run":${run},"task":"${task}","attempt":${attempt},"status":"${status}",` +
    `"enqueuedAt":${enqueuedAt}${startedAt === undefined ? "" : `,"startedAt":${startedAt}`},` +
    `"finishedAt":${finishedAt},"worker":"${worker}","ttl":${ttl},"contentType":"${result.contentType}"}`
  );
}

function toFields(outcome: StoredOutcome): Fields {
  const { id, run, task, attempt, status, enqueuedAt, startedAt, finishedAt, worker, ttl } = outcome;
  const fields: Fields = { v: 1, id, run, task, attempt, status, enqueuedAt };
  if (startedAt !== undefined) fields.startedAt = startedAt;
  fields.finishedAt = finishedAt;
  fields.worker = worker;
  fields.ttl = ttl;
  if (outcome.error !== undefined) fields.error = outcome.error;
  if (outcome.reason !== undefined) fields.reason = outcome.reason;
  if (outcome.code !== undefined) fields.code = outcome.code;
  if (outcome.result !== undefined) fields.contentType = outcome.result.contentType;
  if (outcome.signature !== undefined) fields.signature = outcome.signature;
  return fields;
}

/**
 * Reads what {@link encodeOutcome} wrote. The result is a view of `bytes`.
 *
 * @throws MessageError `MESSAGE_MALFORMED`, or `MESSAGE_VERSION_UNKNOWN` for one of a newer version.
 */
export function decodeOutcome(bytes: Uint8Array): StoredOutcome {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf(newline);
  const fields = parseLine(buffer.toString("utf8", 0, end === -1 ? buffer.length : end));
  const fault =
    findVersionFault(fields) ??
    findFault(fields) ??
    findStatusFault(fields) ??
    (end === -1 ? "a line without an end" : undefined);
  if (fault !== undefined) throw malformed(fault);
  const { id, run, task, attempt, status, enqueuedAt, startedAt, finishedAt, worker, ttl } = fields;
  const outcome: Fields = { id, run, task, attempt, status, enqueuedAt, finishedAt, worker, ttl };
  if (startedAt !== undefined) outcome.startedAt = startedAt;
  if (typeof fields.signature === "string") outcome.signature = fields.signature;
  if (status === "succeeded") outcome.result = { contentType: fields.contentType, body: buffer.subarray(end + 1) };
  else if (status === "failed") outcome.error = fields.error;
  else Object.assign(outcome, { reason: fields.reason, code: fields.code });
  return outcome as unknown as StoredOutcome;
}

type Fields = { [name in keyof StoredOutcome | "v" | "contentType"]?: unknown };

function parseLine(line: string): Fields {
  try {
    const fields: unknown = JSON.parse(line);
    if (typeof fields === "object" && fields !== null) return fields;
  } catch (cause) {
    throw malformed("bytes that are not JSON", cause);
  }
  throw malformed("JSON that is no object");
}

function findVersionFault({ v }: Fields): string | undefined {
  if (v === 1) return undefined;
  if (!Number.isInteger(v) || (v as number) < 1) return "no version";
  const text = `Expected a stored outcome of version 1, got version ${v as number}. Update this process.`;
  throw new MessageError("MESSAGE_VERSION_UNKNOWN", text);
}

function findFault({
  id,
  run,
  task,
  attempt,
  enqueuedAt,
  startedAt,
  finishedAt,
  worker,
  ttl,
}: Fields): string | undefined {
  if (typeof id !== "string" || typeof task !== "string" || typeof worker !== "string") return "no id, task or worker";
  if (!Number.isInteger(run) || !Number.isInteger(attempt)) return "no run or attempt";
  const times = [enqueuedAt, finishedAt, ttl, startedAt ?? 0];
  return times.every((time) => typeof time === "number") ? undefined : "times that are no numbers";
}

function findStatusFault({ status, contentType, error, reason, code }: Fields): string | undefined {
  switch (status) {
    case "succeeded":
      return typeof contentType === "string" ? undefined : "a success without a content type";
    case "failed":
      return isErrorRecord(error, maxCauses) ? undefined : "a failure without an error";
    case "cancelled":
      return typeof reason === "string" && typeof code === "string" ? undefined : "a cancellation without its reason";
    default:
      return "an unknown status";
  }
}

function isErrorRecord(value: unknown, causesLeft: number): boolean {
  if (typeof value !== "object" || value === null || causesLeft < 0) return false;
  const { name, message, cause } = value as { readonly [field in keyof ErrorRecord]?: unknown };
  if (typeof name !== "string" || typeof message !== "string") return false;
  return cause === undefined || isErrorRecord(cause, causesLeft - 1);
}

function malformed(found: string, cause?: unknown): MessageError {
  const text = `Expected a stored outcome, got ${found}. Is the key used by another program?`;
  return new MessageError("MESSAGE_MALFORMED", text, cause === undefined ? {} : { cause });
}
