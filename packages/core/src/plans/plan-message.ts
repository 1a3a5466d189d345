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
  const now = Date.now();
  const message: Message = {
    id,
    run,
    hop: 0,
    task,
    queue,
    attempt: 0,
    enqueuedAt: now,
    ...(delay > 0 && { notBefore: now + delay }),
    ...(expires !== undefined && { expiresAt: now + delay + expires }),
    ...(priority !== undefined && { priority }),
    ...(traceparent !== undefined && { traceparent }),
    ...(tracestate !== undefined && { tracestate }),
    policy: withTtl(node.policy, ttl),
    ...(plan !== undefined && { plan }),
    ...(headers !== undefined && { headers }),
    ...inputOf(node, value),
  };
  return delay > 0 ? { message, delay } : { message };
}

/** What comes after a task may look for its outcome for as long as the workflow is under way. */
function withTtl(policy: MessagePolicy, ttl: number): MessagePolicy {
  return { ...policy, resultTtl: Math.max(policy.resultTtl ?? 0, ttl) };
}

function inputOf({ input, isLazy }: TaskNode, { contentType, body }: RawValue): RawValue {
  if (input !== undefined) return { contentType: input.contentType, body: Buffer.from(input.body, "base64") };
  if (isLazy !== true || contentType !== groupContentType) return { contentType, body };
  return { contentType, body: encodeReference({ ...decodeReference(body), isLazy: true }) };
}
