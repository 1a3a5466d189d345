import type { OutgoingMessage } from "../broker.ts";
import { decodeReference, encodeReference, groupContentType } from "../group-results.ts";
import type { Message, MessagePolicy } from "../message.ts";
import type { Effect, TaskNode } from "../plan.ts";
import type { StateStore } from "../state-store.ts";
import { writePlan } from "./plan-header.ts";
import type { RawValue } from "./raw-value.ts";

/** What all messages of a workflow have in common. */
export interface Origin extends Pick<Message, "run" | "traceparent" | "tracestate"> {
  /** Milliseconds for which its outcomes are kept at least. */
  readonly ttl: number;
}

/** The message of one step. */
export function toMessage(
  effect: Extract<Effect, { kind: "publish" }>,
  origin: Origin & { readonly value: RawValue },
  state: StateStore | undefined,
): OutgoingMessage | Promise<OutgoingMessage> {
  const { id, frames } = effect;
  if (frames.length === 0) return withPlan(effect, origin, undefined);
  const plan = writePlan({ frames, ttl: origin.ttl }, id, state);
  return plan instanceof Promise ? plan.then((kept) => withPlan(effect, origin, kept)) : withPlan(effect, origin, plan);
}

function withPlan(
  { id, node }: Extract<Effect, { kind: "publish" }>,
  { ttl, run, traceparent, tracestate, value }: Origin & { readonly value: RawValue },
  plan: string | undefined,
): OutgoingMessage {
  const { task, queue, priority, delay = 0, expires, headers } = node;
  const { contentType, body } = inputOf(node, value);
  const policy = withTtl(node.policy, ttl);
  const enqueuedAt = Date.now();
  const message: Writable<Message> = {
    id,
    run,
    hop: 0,
    task,
    queue,
    attempt: 0,
    enqueuedAt,
    contentType,
    policy,
    body,
  };
  if (plan !== undefined) message.plan = plan;
  if (delay > 0) message.notBefore = enqueuedAt + delay;
  if (expires !== undefined) message.expiresAt = enqueuedAt + delay + expires;
  if (priority !== undefined) message.priority = priority;
  if (traceparent !== undefined) message.traceparent = traceparent;
  if (tracestate !== undefined) message.tracestate = tracestate;
  if (headers !== undefined) message.headers = headers;
  return delay > 0 ? { message, delay } : { message };
}

/** While it is made: this is done for every step, and an object put together from copies costs several times as much. */
type Writable<T> = { -readonly [TKey in keyof T]: T[TKey] };

/** What comes after a task may look for its outcome for as long as the workflow is under way. */
function withTtl(policy: MessagePolicy, ttl: number): MessagePolicy {
  const resultTtl = Math.max(policy.resultTtl ?? 0, ttl);
  return Object.keys(policy).length === 0 ? { resultTtl } : { ...policy, resultTtl };
}

function inputOf({ input, isLazy }: TaskNode, { contentType, body }: RawValue): RawValue {
  if (input !== undefined) return { contentType: input.contentType, body: Buffer.from(input.body, "base64") };
  if (isLazy !== true || contentType !== groupContentType) return { contentType, body };
  return { contentType, body: encodeReference({ ...decodeReference(body), isLazy: true }) };
}
