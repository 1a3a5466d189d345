import { inspect } from "node:util";
import { MessageError, OptionError } from "./errors.ts";

/**
 * What travels from a client to a worker: version 1 of the wire format. `docs/wire-format.md` is its specification, and
 * golden files hold it still. Plain data; brokers carry it and read only `id`, `run`, `hop`, `queue` and `priority`.
 */
export interface Message {
  /** The task's id: the same over all attempts, runs and hops. */
  readonly id: string;
  /** Counts replays from the dead letters, from 0. A higher run supersedes a lower one. */
  readonly run: number;
  /** Counts publishes of this message, from 0, for whatever reason it was published again. */
  readonly hop: number;
  /** The task's name. */
  readonly task: string;
  readonly queue: string;
  /** Counts failures of the handler, from 0. */
  readonly attempt: number;
  /** Wall-clock times in epoch milliseconds, by the client's clock. */
  readonly enqueuedAt: number;
  readonly notBefore?: number;
  readonly expiresAt?: number;
  /** 9 first, 0 last; absent means 4. */
  readonly priority?: number;
  readonly contentType: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
  readonly signature?: string;
  /** What follows it, when it is a step of a workflow: JSON. */
  readonly plan?: string;
  /** Where the outcome is sent to, for result backends that keep none. */
  readonly replyTo?: string;
  /** The key by which the task is unique, for whoever gives it back. */
  readonly unique?: string;
  /** What this enqueue sets otherwise than the task's definition. */
  readonly policy?: MessagePolicy;
  /** The user's own headers, without their `x-` prefix. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The serialized input. */
  readonly body: Uint8Array;
}

/** Options of one enqueue that the worker applies in place of the task's own. Durations in milliseconds. */
export interface MessagePolicy {
  readonly attempts?: number;
  readonly backoff?: { readonly from: number; readonly to: number };
  readonly timeout?: number;
  readonly resultTtl?: number;
  readonly acknowledge?: "stored" | "executed" | "received";
}

export const defaultPriority = 4;
/** Bytes of all headers of a message together, as JSON. */
export const maxHeaderBytes = 8 * 1024;
/** Bytes of a message's body unless configured otherwise. */
export const defaultMaxBodyBytes = 1024 * 1024;

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const idPattern = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}$/;
const headerPrefix = "x-";
/** Lists and objects inside one another in one header: JSON.parse reads thousands of levels, JSON.stringify cannot write them. */
const maxHeaderDepth = 16;
/** Characters of an address for outcomes. */
const maxReplyToLength = 255;
/** The last moment of a JavaScript Date. */
const lastTime = 8.64e15;

/** @throws OptionError `NAME_INVALID` unless `name` is 1 to 100 letters, digits, `_`, `.` or `-`, a letter or digit first. */
export function checkName(kind: "task" | "queue" | "header" | "schedule" | "provider", name: string): string {
  if (typeof name === "string" && namePattern.test(name)) return name;
  throw new OptionError(
    "NAME_INVALID",
    `Expected a ${kind} name of 1 to 100 letters, digits, "_", "." or "-", beginning with a letter or digit, got ${show(name)}.`,
  );
}

/** @throws OptionError `NAME_INVALID` unless `id` is 1 to 200 letters, digits, `_`, `.`, `:` or `-`, a letter or digit first. */
export function checkId(id: string): string {
  if (typeof id === "string" && idPattern.test(id)) return id;
  throw new OptionError(
    "NAME_INVALID",
    `Expected a task id of 1 to 200 letters, digits, "_", ".", ":" or "-", beginning with a letter or digit, got ${show(id)}.`,
  );
}

/** The id under which brokers recognise a publish they have seen: `id:run:hop`. */
export function dedupeId(message: Pick<Message, "id" | "run" | "hop">): string {
  return `${message.id}:${message.run}:${message.hop}`;
}

/**
 * The headers of a message as a flat record, for brokers that have headers of their own: first those of this version in
 * the order of the specification, then unknown ones, then the user's, prefixed `x-`.
 */
export function toHeaders(message: Message): Record<string, unknown> {
  const { id, run, hop, task, queue, attempt, enqueuedAt } = message;
  const record: Record<string, unknown> = { v: 1, id, run, hop, task, queue, attempt, enqueuedAt };
  for (const name of laterHeaders) if (message[name] !== undefined) record[name] = message[name];
  for (const name in message) {
    if (!knownFields.has(name)) record[name] = (message as unknown as Record<string, unknown>)[name];
  }
  for (const name in message.headers) record[headerPrefix + name] = message.headers[name];
  return record;
}

export const firstHeaders = ["id", "run", "hop", "task", "queue", "attempt", "enqueuedAt"] as const;
const laterHeaders = [
  "notBefore",
  "expiresAt",
  "priority",
  "contentType",
  "traceparent",
  "tracestate",
  "signature",
  "plan",
  "unique",
  "policy",
  "replyTo",
] as const;
const knownHeaders: ReadonlySet<string> = new Set(["v", ...firstHeaders, ...laterHeaders]);
const knownFields: ReadonlySet<string> = new Set([...firstHeaders, ...laterHeaders, "headers", "body"]);

/**
 * Builds a message from a flat record of headers and a body, the inverse of {@link toHeaders}.
 *
 * @throws MessageError `MESSAGE_MALFORMED`, or `MESSAGE_VERSION_UNKNOWN` for a newer version; with the id where it can be read.
 */
export function fromHeaders(record: unknown, body: Uint8Array): Message {
  if (typeof record !== "object" || record === null) throw malformed("headers that are no object", undefined);
  const fields = record as Fields;
  const fault = findVersionFault(fields) ?? findFault(fields) ?? findTextFault(fields);
  if (fault !== undefined) throw malformed(fault, readId(fields));
  const { id, run, hop, task, queue, attempt, enqueuedAt } = fields;
  const message: Fields = { id, run, hop, task, queue, attempt, enqueuedAt };
  for (const name of laterHeaders) if (fields[name] !== undefined) message[name] = fields[name];
  readOtherHeaders(fields, message);
  message.body = body;
  return message as unknown as Message;
}

/** Header names to values of any kind, as they come from outside. */
type Fields = Record<string, unknown> & { [name in keyof Message | "v"]?: unknown };

/** What a reader says of bytes or headers that are no message. */
export function malformed(found: string, id: string | undefined): MessageError {
  return new MessageError("MESSAGE_MALFORMED", `Expected a message of the wire format, got ${found}.`, { id });
}

/** Whether a text could be the id of a task. */
export function isId(text: string): boolean {
  return idPattern.test(text);
}

function readId({ id }: Fields): string | undefined {
  return typeof id === "string" && idPattern.test(id) ? id : undefined;
}

function findVersionFault(fields: Fields): string | undefined {
  const { v } = fields;
  if (v === 1) return undefined;
  if (!isCount(v) || v === 0) return `the version ${show(v)}`;
  throw new MessageError(
    "MESSAGE_VERSION_UNKNOWN",
    `Expected a message of version 1, got version ${v}. Update this worker before its clients.`,
    { id: readId(fields) },
  );
}

function findFault(fields: Fields): string | undefined {
  const { id, run, hop, task, queue, attempt, enqueuedAt, notBefore, expiresAt, priority, policy } = fields;
  if (typeof id !== "string" || !idPattern.test(id)) return `the id ${show(id)}`;
  if (typeof task !== "string" || !namePattern.test(task)) return `the task name ${show(task)}`;
  if (typeof queue !== "string" || !namePattern.test(queue)) return `the queue name ${show(queue)}`;
  if (!isCount(run) || !isCount(hop) || !isCount(attempt)) {
    return `the counters run ${show(run)}, hop ${show(hop)}, attempt ${show(attempt)}`;
  }
  if (!isTime(enqueuedAt)) return `the time enqueuedAt ${show(enqueuedAt)}`;
  if (notBefore !== undefined && !isTime(notBefore)) return `the time notBefore ${show(notBefore)}`;
  if (expiresAt !== undefined && !isTime(expiresAt)) return `the time expiresAt ${show(expiresAt)}`;
  if (priority !== undefined && !(isCount(priority) && priority <= 9)) return `the priority ${show(priority)}`;
  const isPolicy = policy === undefined || (typeof policy === "object" && policy !== null && !Array.isArray(policy));
  return isPolicy && isWithin(policy, maxHeaderDepth) ? undefined : `the policy ${show(policy)}`;
}

function findTextFault({
  contentType,
  traceparent,
  tracestate,
  signature,
  plan,
  unique,
  replyTo,
}: Fields): string | undefined {
  if (typeof contentType !== "string" || contentType === "") return `the content type ${show(contentType)}`;
  if (traceparent !== undefined && typeof traceparent !== "string") return `the traceparent ${show(traceparent)}`;
  if (tracestate !== undefined && typeof tracestate !== "string") return `the tracestate ${show(tracestate)}`;
  if (plan !== undefined && typeof plan !== "string") return `the plan ${show(plan)}`;
  if (unique !== undefined && typeof unique !== "string") return `the unique key ${show(unique)}`;
  if (signature !== undefined && typeof signature !== "string") return `the signature ${show(signature)}`;
  if (replyTo !== undefined && (typeof replyTo !== "string" || replyTo.length > maxReplyToLength)) {
    return `the address replyTo ${show(replyTo)}`;
  }
  return undefined;
}

/** The user's headers go into a record of their own; an unknown header of our own stays and travels on. */
function readOtherHeaders(fields: Fields, message: Fields): void {
  let own: Record<string, string> | undefined;
  for (const name in fields) {
    if (knownHeaders.has(name)) continue;
    const value = fields[name];
    if (!name.startsWith(headerPrefix)) {
      if (!namePattern.test(name) || knownFields.has(name)) throw malformed(`the header ${show(name)}`, readId(fields));
      if (!isWithin(value, maxHeaderDepth)) {
        throw malformed(`the header ${show(name)} that is nested more than ${maxHeaderDepth} deep`, readId(fields));
      }
      message[name] = value;
      continue;
    }
    const ownName = name.slice(headerPrefix.length);
    if (!namePattern.test(ownName)) throw malformed(`the header name ${show(name)}`, readId(fields));
    if (typeof value !== "string") throw malformed(`the header ${show(name)} that is no string`, readId(fields));
    own ??= {};
    own[ownName] = value;
  }
  if (own !== undefined) message.headers = own;
}

function isWithin(value: unknown, depthLeft: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return depthLeft > 0 && Object.values(value).every((inner) => isWithin(inner, depthLeft - 1));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= lastTime;
}

/** A value from outside for an error message: whatever it is, and not too long. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  return inspect(value, {
    depth: 0,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: 100,
    maxArrayLength: 3,
  }).slice(0, 200);
}
