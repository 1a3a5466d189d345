import type { Delivery, ReadableDelivery } from "../broker.ts";
import { isTaskferryError, MessageError, type TaskferryError } from "../errors.ts";
import { GroupResults, groupContentType } from "../group-results.ts";
import type { Handler } from "../handler.ts";
import type { RawValue } from "../plans/raw-value.ts";
import type { Body } from "../protection/body.ts";
import type { Protection } from "../protection/protection.ts";
import { validate } from "../schema.ts";
import type { SerializerSet } from "../serializer-set.ts";
import { Job, type Unrunnable } from "./job.ts";
import { persist } from "./persist.ts";
import type { Policies } from "./policies.ts";

export interface DecodeParts {
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly serializers: SerializerSet;
  readonly protection: Protection;
  readonly policies: Policies;
  /** The queue that deliveries come from. */
  readonly queue: string;
  readonly maxBodyBytes: number;
  readonly maxDeliveries: number;
  /** Milliseconds for which a body that is kept elsewhere is asked for again. */
  readonly patience: number;
  readonly isWanted: () => boolean;
  /** Reads the results of a group, for as long as it takes the backend to answer; absent where none are kept. */
  readonly readGroup?: (value: RawValue) => Promise<unknown>;
  /** Whether the input of this handler's task is read where the handler runs, and not here. Absent: none is. */
  readonly isReadElsewhere?: (handler: Handler) => boolean;
}

/** Reads and checks a delivery. A promise only where a schema is asynchronous. Never throws: what cannot run says why. */
export function decode(delivery: Delivery, parts: DecodeParts): Job | Unrunnable | Promise<Job | Unrunnable> {
  if (delivery.malformed !== undefined) return refuse(delivery, delivery.malformed.error, delivery.malformed.id);
  try {
    return decodeMessage(delivery, parts);
  } catch (error) {
    return refuseUnknown(delivery, error);
  }
}

function decodeMessage(delivery: ReadableDelivery, parts: DecodeParts): Job | Unrunnable | Promise<Job | Unrunnable> {
  const { message, deliveryCount } = delivery;
  if (deliveryCount !== undefined && deliveryCount > parts.maxDeliveries)
    throw tooManyDeliveries(deliveryCount, parts.maxDeliveries);
  if (message.body.length > parts.maxBodyBytes) throw tooLarge(message.body.length, parts.maxBodyBytes);
  parts.protection.verify(message, parts.queue);
  const handler = parts.handlers.get(message.task);
  if (handler === undefined) throw unknownTask(message.task, parts.handlers);
  if (message.expiresAt !== undefined && message.expiresAt <= Date.now()) return expire(delivery, message.expiresAt);
  const options = parts.policies.optionsOf(message, handler);
  const opening = parts.protection.openInput(message, parts.queue);
  const run: Run = { delivery, handler, options };
  return opening instanceof Promise ? openLater(opening, run, parts) : decodeBody(opening, run, parts);
}

/** Apart, since what a function captures costs each of its calls. */
function openLater(opening: Promise<Body>, run: Run, parts: DecodeParts): Promise<Job | Unrunnable> {
  const { delivery } = run;
  const again = (): Promise<Body> => Promise.resolve(parts.protection.openInput(delivery.message, parts.queue));
  return opening
    .catch(() => persist(again, { limit: parts.patience, isWanted: parts.isWanted }))
    .then((body) => decodeBody(body, run, parts))
    .catch((error: unknown) => refuseUnlessAway(delivery, error));
}

type Run = Pick<Job, "delivery" | "handler" | "options">;

function decodeBody(body: Body, run: Run, parts: DecodeParts): Job | Unrunnable | Promise<Job | Unrunnable> {
  const { handler } = run;
  if (parts.isReadElsewhere?.(handler) === true) return toJob(run, body, undefined);
  if (body.contentType === groupContentType) return decodeGroup(body, run, parts);
  return check(parts.serializers.deserialize(body.contentType, body.body), body, run);
}

/** A backend that does not answer is no fault of the message: it is handed back. */
async function decodeGroup(body: Body, run: Run, { readGroup }: DecodeParts): Promise<Job | Unrunnable> {
  const { delivery } = run;
  if (readGroup === undefined) return refuse(delivery, unkept(delivery.message.task), delivery.message.id);
  try {
    const read = await readGroup(body);
    const isWholeWanted = read instanceof GroupResults && run.handler.task.input !== undefined;
    return await check(isWholeWanted ? await read.all() : read, body, run);
  } catch (error) {
    return refuseUnlessAway(delivery, error);
  }
}

function refuseUnlessAway(delivery: ReadableDelivery, error: unknown): Unrunnable {
  if (!isTaskferryError(error) || !error.retryable) return refuseUnknown(delivery, error);
  return { delivery, id: delivery.message.id, ended: { kind: "stopping" } };
}

/** An input that its task has a schema for is checked by it. */
function check(raw: unknown, opened: Body, run: Run): Job | Unrunnable | Promise<Job | Unrunnable> {
  const { delivery, handler } = run;
  const schema = handler.task.input;
  if (schema === undefined) return toJob(run, opened, raw);
  const input = validate(schema, raw, { code: "INPUT_INVALID", name: `The input of ${delivery.message.task}` });
  return input instanceof Promise ? toJobLater(input, opened, run) : toJob(run, opened, input);
}

function toJobLater(input: Promise<unknown>, opened: Body, run: Run): Promise<Job | Unrunnable> {
  return input.then(
    (decoded) => toJob(run, opened, decoded),
    (error: unknown) => refuseUnknown(run.delivery, error),
  );
}

function toJob({ delivery, handler, options }: Run, opened: Body, input: unknown): Job {
  return new Job({ delivery, message: delivery.message, handler, options, opened, input });
}

function refuse(delivery: Delivery, error: TaskferryError, id: string | undefined): Unrunnable {
  return { delivery, id, ended: { kind: "refused", error } };
}

/** A schema or serializer of the user's may throw anything. */
function refuseUnknown(delivery: ReadableDelivery, error: unknown): Unrunnable {
  const known = isTaskferryError(error)
    ? error
    : new MessageError(
        "MESSAGE_MALFORMED",
        `The input of ${delivery.message.task} could not be read: ${String(error)}`,
        { cause: error },
      );
  return refuse(delivery, known, delivery.message.id);
}

function unkept(task: string): MessageError {
  return new MessageError(
    "CONTENT_TYPE_UNKNOWN",
    `The input of ${task} names the results of a group, and this worker keeps no results. Set \`results\`.`,
  );
}

function expire(delivery: ReadableDelivery, expiresAt: number): Unrunnable {
  const reason = `It expired at ${new Date(expiresAt).toISOString()}, before it started.`;
  return { delivery, id: delivery.message.id, ended: { kind: "cancelled", code: "TASK_EXPIRED", reason } };
}

function tooManyDeliveries(count: number, limit: number): MessageError {
  return new MessageError(
    "TOO_MANY_DELIVERIES",
    `Delivered ${count} times, at most ${limit} are allowed (\`maxDeliveries\`): its worker may have crashed each time. It was not run again.`,
  );
}

function tooLarge(bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `Expected a body of at most ${limit} bytes, got ${bytes}. Raise \`maxBodyBytes\` of the worker, or send a reference to the data.`,
  );
}

function unknownTask(name: string, handlers: ReadonlyMap<string, Handler>): MessageError {
  const known = handlers.size === 0 ? "none" : [...handlers.keys()].slice(0, 20).join(", ");
  return new MessageError(
    "TASK_UNKNOWN",
    `No handler for the task "${name}" in this worker. It has: ${known}. Add the handler, or give the task a queue of its own.`,
  );
}
