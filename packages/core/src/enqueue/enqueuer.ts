import type { OutgoingMessage, PublishResult } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { checkPublishable } from "../capability-checks.ts";
import { ClosedError, MessageError } from "../errors.ts";
import type { Emitter, EnqueueEvent, TaskEvent } from "../events.ts";
import type { Message } from "../message.ts";
import { validate } from "../schema.ts";
import type { SerializerSet } from "../serializer-set.ts";
import type { EnqueueOptions } from "../task-options.ts";
import type { UniqueRecord } from "../unique.ts";
import { createTemplate, fillTemplate, type MessageTemplate } from "./enqueue-options.ts";
import type { Enqueued } from "./enqueued.ts";
import type { Route, Routes } from "./routes.ts";
import type { UniqueClaims } from "./unique-claims.ts";

export interface EnqueueManyOptions<TInput> extends Omit<EnqueueOptions, "id"> {
  /** The id of each task. Default: a UUID of version 7. */
  readonly id?: (input: TInput, index: number) => string;
}

export type EnqueueResult<THandle> =
  | { readonly status: "accepted" | "duplicate"; readonly handle: THandle }
  /** `error` is taskferry's own, or what a middleware, schema or serializer of yours threw. */
  | { readonly status: "refused"; readonly error: Error };

/** Makes messages of inputs and hands them to the broker. */
export interface Enqueuer<THandle> {
  enqueue(task: CallableTask, input: unknown, options: EnqueueOptions | undefined): Promise<THandle>;
  enqueueMany(
    task: CallableTask,
    inputs: readonly unknown[],
    options: EnqueueManyOptions<never>,
  ): Promise<readonly EnqueueResult<THandle>[]>;
}

export interface EnqueuerParts<THandle> {
  readonly routes: Routes;
  readonly serializers: SerializerSet;
  readonly maxBodyBytes: number;
  /** Where outcomes are awaited, for result backends that keep none. */
  readonly replyTo: string | undefined;
  readonly uniqueClaims: UniqueClaims;
  readonly isClosed: () => boolean;
  readonly emitter: Pick<Emitter<EnqueueEvent>, "emit">;
  readonly toHandle: (task: CallableTask, enqueued: Enqueued) => THandle;
}

/** What all messages of one call share. */
interface Prepared extends MessageTemplate {
  readonly task: CallableTask;
  readonly route: Route;
}

interface Published {
  readonly outgoing: OutgoingMessage;
  /** Or which task has its `unique` key. */
  readonly result: PublishResult | UniqueRecord;
}

export function createEnqueuer<THandle>(parts: EnqueuerParts<THandle>): Enqueuer<THandle> {
  const { routes, serializers, replyTo, isClosed } = parts;
  const prepare = (task: CallableTask, options: EnqueueOptions | undefined): Prepared => {
    const { fixed, isPlain, delay, resultTtl } = createTemplate(task, options, {
      contentType: serializers.contentType,
      replyTo,
    });
    const route = routes.of(task);
    checkPublishable(route.broker, fixed, delay);
    // Field by field, here and where it is used: this is done for every task.
    return { fixed, isPlain, delay, resultTtl, task, route };
  };
  const publishOne = (
    prepared: Prepared,
    item: { readonly input: unknown; readonly id: string | undefined },
  ): Promise<Published> => {
    if (isClosed()) throw new ClosedError("The client");
    const { task } = prepared;
    if (task.input === undefined) return send(parts, prepared, item);
    // The original is sent: what the schema makes of it is for the worker to find again.
    const checked = validate(task.input, item.input, { code: "INPUT_INVALID", name: `The input of ${task.name}` });
    return checked instanceof Promise ? checked.then(() => send(parts, prepared, item)) : send(parts, prepared, item);
  };
  return {
    enqueue: async (task, input, options) => {
      const prepared = prepare(task, options);
      const answer = answerFor(parts, prepared, await publishOne(prepared, { input, id: options?.id }));
      if (answer.status === "refused") throw answer.error;
      return answer.handle;
    },
    enqueueMany: async (task, inputs, { id, ...options }) => {
      const prepared = prepare(task, options);
      const one = async (input: unknown, index: number): Promise<EnqueueResult<THandle>> => {
        try {
          return answerFor(parts, prepared, await publishOne(prepared, { input, id: id?.(input as never, index) }));
        } catch (error) {
          return { status: "refused", error: error instanceof Error ? error : new Error(String(error)) };
        }
      };
      return Promise.all(inputs.map(one));
    },
  };
}

async function send(
  {
    serializers,
    maxBodyBytes,
    uniqueClaims,
  }: Pick<EnqueuerParts<unknown>, "serializers" | "maxBodyBytes" | "uniqueClaims">,
  prepared: Prepared,
  { input, id }: { readonly input: unknown; readonly id: string | undefined },
): Promise<Published> {
  const { route, task } = prepared;
  const body = serializers.serialize(input);
  if (body.length > maxBodyBytes) throw tooLarge(task.name, body.length, maxBodyBytes);
  const outgoing = fillTemplate(prepared, id, body);
  const { unique } = task.options;
  if (unique === undefined) return { outgoing, result: await route.publish(outgoing) };
  const message = { ...outgoing.message, unique: uniqueClaims.segmentOf({ task, input, body }) ?? "" };
  const claimed = { ...outgoing, message };
  return { outgoing: claimed, result: await uniqueClaims.publish(message, unique, () => route.publish(claimed)) };
}

function answerFor<THandle>(
  { emitter, toHandle }: EnqueuerParts<THandle>,
  { task, resultTtl }: Prepared,
  { outgoing: { message }, result }: Published,
): EnqueueResult<THandle> {
  if (!("status" in result)) {
    const { id, queue, at } = result;
    return { status: "duplicate", handle: toHandle(task, { id, task: task.name, queue, enqueuedAt: at, resultTtl }) };
  }
  if (result.status === "refused" || result.status === "unknown") return { status: "refused", error: result.error };
  emitter.emit(() => ({
    type: result.status === "duplicate" ? "task.duplicate" : "task.enqueued",
    ...describe(message),
  }));
  const { id, queue, enqueuedAt } = message;
  return { status: result.status, handle: toHandle(task, { id, task: task.name, queue, enqueuedAt, resultTtl }) };
}

function tooLarge(task: string, bytes: number, limit: number): MessageError {
  return new MessageError(
    "MESSAGE_TOO_LARGE",
    `Enqueue of ${task}: expected an input of at most ${limit} bytes when serialized, got ${bytes}. Send a reference to the data, or raise \`maxBodyBytes\` in client and worker.`,
  );
}

function describe({ id, task, queue, attempt, run }: Message): TaskEvent {
  return { at: Date.now(), id, task, queue, attempt, run };
}
