import type { OutgoingMessage } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { parseDuration } from "../duration.ts";
import { MessageError, OptionError } from "../errors.ts";
import { headerBytes } from "../frame.ts";
import { createId } from "../id.ts";
import { checkId, checkName, defaultPriority, type Message, maxHeaderBytes } from "../message.ts";
import { type EnqueueOptions, type ResolvedTaskOptions, resolveTaskOptions, toPolicy } from "../task-options.ts";

/** What one call says of every message it makes: checked once, also for ten thousand inputs. */
export interface MessageTemplate {
  readonly fixed: Omit<Message, "id" | "body">;
  /** Whether `fixed` has no more than every message has. */
  readonly isPlain: boolean;
  readonly delay: number;
  readonly resultTtl: number;
}

/** What a client says of all its messages. */
export interface TemplateSetting {
  readonly contentType: string;
  /** Where the outcome is awaited, for result backends that keep none. */
  readonly replyTo: string | undefined;
}

const none: TemplateParts["extra"] = {};

/** @throws OptionError `OPTION_INVALID`, `NAME_INVALID`, `DURATION_INVALID`; MessageError `HEADERS_TOO_LARGE`. */
export function createTemplate(
  task: CallableTask,
  options: EnqueueOptions | undefined,
  { contentType, replyTo }: TemplateSetting,
): MessageTemplate {
  const now = Date.now();
  const address = replyTo === undefined ? none : { replyTo };
  if (options === undefined) return template(task, task.options, { now, delay: 0, contentType, extra: address });
  const subject = `enqueue of ${task.name}`;
  const resolved = resolveTaskOptions(options, subject, task.options);
  const policy = toPolicy(options, resolved);
  const extra = {
    ...address,
    ...(policy !== undefined && { policy }),
    ...(options.headers !== undefined && { headers: checkHeaders(options.headers) }),
  };
  const made = template(task, resolved, { now, delay: resolveDelay(options, subject, now), contentType, extra });
  if (options.headers !== undefined || policy !== undefined) checkHeaderSize(made.fixed, task.name);
  return made;
}

export function fillTemplate(
  { fixed, isPlain, delay }: Omit<MessageTemplate, "resultTtl">,
  id: string | undefined,
  body: Uint8Array,
): OutgoingMessage {
  const own = id === undefined ? createId() : checkId(id);
  const message: Message = isPlain ? fillPlain(fixed, own, body) : { id: own, ...fixed, body };
  return delay > 0 ? { message, delay } : { message };
}

function fillPlain(fixed: MessageTemplate["fixed"], id: string, body: Uint8Array): Message {
  const { run, hop, task, queue, attempt, enqueuedAt, contentType } = fixed;
  return { id, run, hop, task, queue, attempt, enqueuedAt, contentType, body };
}

interface TemplateParts {
  readonly now: number;
  readonly delay: number;
  readonly contentType: string;
  readonly extra: Pick<Message, "policy" | "headers" | "replyTo">;
}

function template(
  task: CallableTask,
  options: ResolvedTaskOptions,
  { now, delay, contentType, extra }: TemplateParts,
): MessageTemplate {
  const { queue, expires, priority, resultTtl } = options;
  if (delay === 0 && expires === undefined && priority === defaultPriority && extra === none) {
    const fixed = { run: 0, hop: 0, task: task.name, queue, attempt: 0, enqueuedAt: now, contentType };
    return { fixed, isPlain: true, delay, resultTtl };
  }
  const fixed = {
    run: 0,
    hop: 0,
    task: task.name,
    queue,
    attempt: 0,
    enqueuedAt: now,
    ...(delay > 0 && { notBefore: now + delay }),
    ...(expires !== undefined && { expiresAt: now + delay + expires }),
    ...(priority !== defaultPriority && { priority }),
    contentType,
    ...extra,
  };
  return { fixed, isPlain: false, delay, resultTtl };
}

function resolveDelay({ delay, at }: EnqueueOptions, subject: string, now: number): number {
  if (delay !== undefined && at !== undefined)
    throw new OptionError("OPTION_INVALID", `${subject}: expected \`delay\` or \`at\`, got both.`);
  if (at === undefined) return delay === undefined ? 0 : parseDuration(delay, `${subject}, delay`);
  const time = typeof at === "number" ? at : at.getTime();
  if (!Number.isFinite(time))
    throw new OptionError(
      "OPTION_INVALID",
      `${subject}, at: expected a valid date or epoch milliseconds, got ${String(at)}.`,
    );
  return Math.max(0, time - now);
}

function checkHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(headers)) {
    checkName("header", name);
    if (typeof value !== "string")
      throw new OptionError("OPTION_INVALID", `Header ${name}: expected a string, got ${typeof value}.`);
  }
  return { ...headers };
}

function checkHeaderSize(fixed: MessageTemplate["fixed"], task: string): void {
  const bytes = headerBytes({ id: "0".repeat(200), ...fixed, body: new Uint8Array() });
  if (bytes > maxHeaderBytes) {
    throw new MessageError(
      "HEADERS_TOO_LARGE",
      `Enqueue of ${task}: expected headers of at most ${maxHeaderBytes} bytes, got ${bytes}. Put what is large into the input.`,
    );
  }
}
