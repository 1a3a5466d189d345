import { MessageError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import type { Message, MessagePolicy } from "../message.ts";
import { applyPolicy, type ResolvedTaskOptions } from "../task-options.ts";

/** The options of messages that bring a policy. Those of one task mostly bring the same: the last one is kept. */
export class Policies {
  readonly #last = new WeakMap<Handler, { readonly policy: MessagePolicy; readonly options: ResolvedTaskOptions }>();

  /** @throws MessageError `MESSAGE_MALFORMED` for a policy that no task could have. */
  optionsOf(message: Message, handler: Handler): ResolvedTaskOptions {
    const { policy } = message;
    if (policy === undefined) return handler.task.options;
    const last = this.#last.get(handler);
    if (last !== undefined && isSame(policy, last.policy)) return last.options;
    const options = apply(message, handler);
    this.#last.set(handler, { policy, options });
    return options;
  }
}

function apply({ id, policy }: Message, handler: Handler): ResolvedTaskOptions {
  try {
    return applyPolicy(policy, handler.task.options);
  } catch (cause) {
    throw new MessageError(
      "MESSAGE_MALFORMED",
      `Expected a policy within the limits of task options: ${cause instanceof Error ? cause.message : String(cause)}`,
      { id, cause },
    );
  }
}

function isSame(policy: MessagePolicy, other: MessagePolicy): boolean {
  return (
    policy.attempts === other.attempts &&
    policy.timeout === other.timeout &&
    policy.resultTtl === other.resultTtl &&
    policy.acknowledge === other.acknowledge &&
    policy.backoff === other.backoff
  );
}
