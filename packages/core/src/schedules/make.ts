import type { OutgoingMessage } from "../broker.ts";
import type { CallableTask } from "../callable-task.ts";
import { checkPublishable } from "../capability-checks.ts";
import { createTemplate } from "../enqueue/enqueue-options.ts";
import type { Routes } from "../enqueue/routes.ts";
import { MessageError, UnsupportedCapabilityError } from "../errors.ts";
import { defaultMaxBodyBytes, type Message } from "../message.ts";
import type { Schedule } from "../schedule.ts";
import { validate } from "../schema.ts";
import type { SerializerSet } from "../serializer-set.ts";
import { defaultTaskOptions } from "../task-options.ts";
import { type FireTemplate, overlapHeader, type ScheduleRecord, scheduleHeader, timeHeader } from "./record.ts";

/** What becomes of a schedule depends on where its fires go. */
export interface TemplateParts {
  readonly routes: Pick<Routes, "of">;
  readonly serializers: SerializerSet;
  readonly maxBodyBytes?: number;
}

/**
 * Makes the template of all fires of a schedule, and refuses what could not be enqueued later.
 *
 * @throws ValidationError `INPUT_INVALID`; SerializationError `NOT_SERIALIZABLE`; MessageError `MESSAGE_TOO_LARGE`,
 * `HEADERS_TOO_LARGE`; UnsupportedCapabilityError.
 */
export async function makeTemplate(
  { id, task, input, enqueue, policy }: Schedule,
  { routes, serializers, maxBodyBytes = defaultMaxBodyBytes }: TemplateParts,
): Promise<FireTemplate> {
  const { broker } = routes.of(task);
  const headers = {
    ...enqueue.headers,
    [scheduleHeader]: id,
    [timeHeader]: new Date(0).toISOString(),
    ...(policy.overlap !== "allow" && { [overlapHeader]: policy.overlap }),
  };
  const template = createTemplate(
    task,
    { ...enqueue, headers },
    { contentType: serializers.contentType, replyTo: undefined },
  );
  checkPublishable(broker, template.fixed, policy.jitter);
  const { redelivery, delay } = broker.capabilities;
  if (policy.overlap === "queue" && (redelivery === "refused" || delay === "refused"))
    throw new UnsupportedCapabilityError(
      "redelivery",
      `${broker.name} hands nothing back for later: give the schedule ${id} \`overlap: "allow"\` or \`"skip"\`.`,
    );
  if (task.input !== undefined)
    await validate(task.input, input, { code: "INPUT_INVALID", name: `The input of the schedule ${id}` });
  const body = serializers.serialize(input);
  if (body.length > maxBodyBytes)
    throw new MessageError(
      "MESSAGE_TOO_LARGE",
      `schedule ${id}: expected an input of at most ${maxBodyBytes} bytes when serialized, got ${body.length}. Send a reference to the data.`,
    );
  const { enqueuedAt, notBefore, expiresAt, ...message } = template.fixed;
  return {
    message,
    body,
    ...(expiresAt !== undefined && { expires: expiresAt - enqueuedAt }),
    resultTtl: template.resultTtl,
    isBroadcast: task.options.broadcast,
  };
}

/** One fire of a schedule. `delay`: by how much the broker holds it back. */
export function makeFire(
  { fire }: Pick<ScheduleRecord, "fire">,
  {
    id,
    time,
    now,
    delay,
  }: { readonly id: string; readonly time: number; readonly now: number; readonly delay: number },
): OutgoingMessage {
  const message: Message = {
    id,
    ...fire.message,
    headers: { ...fire.message.headers, [timeHeader]: new Date(time).toISOString() },
    enqueuedAt: now,
    ...(delay > 0 && { notBefore: now + delay }),
    ...(fire.expires !== undefined && { expiresAt: now + delay + fire.expires }),
    body: fire.body,
  };
  return delay > 0 ? { message, delay } : { message };
}

/** What a client or a scheduler, which may not have the task itself, knows of it. */
export function taskOf({ message, isBroadcast }: FireTemplate): CallableTask {
  const options = { ...defaultTaskOptions, queue: message.queue, broadcast: isBroadcast };
  return { name: message.task, options, input: undefined, output: undefined };
}

/** A number from 0 up to 1 that every replica finds for this fire. */
export function spreadOf(id: string): number {
  let hash = 2_166_136_261;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 16_777_619) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_507) >>> 0;
  return ((hash ^ (hash >>> 13)) >>> 0) / 4_294_967_296;
}
