import type { OutgoingMessage, PublishResult } from "./broker.ts";
import type { Message } from "./message.ts";

/**
 * The contract of a middleware: it wraps what a client enqueues and what a worker executes. The first listed is the
 * outermost. A middleware that neither calls `next` nor returns {@link shortCircuit} is a fault
 * (`MIDDLEWARE_MISUSED`), as is calling `next` twice; so a forgotten `next` never loses a task in silence.
 *
 * What a middleware throws in `enqueue` rejects that enqueue. What it throws in `execute` is a failure of that task,
 * under the task's retry policy. Neither leaves a delivery unsettled.
 */
export interface Middleware {
  /** Names it in errors. */
  readonly name: string;

  /**
   * Wraps the publish of one message. It may pass another message on: other headers, another body. It must not change
   * `id`, `run`, `hop` and `queue`. Without an `enqueue` in any middleware, enqueueing pays nothing for this.
   */
  enqueue?(
    outgoing: OutgoingMessage,
    next: (outgoing: OutgoingMessage) => Promise<PublishResult>,
  ): Promise<PublishResult>;

  /**
   * Wraps one execution of a handler: after the message was decoded and checked, before its outcome is decided. `next`
   * resolves to what the handler returned and rejects with what it threw.
   */
  execute?(execution: Execution, next: () => Promise<unknown>): Promise<unknown>;

  /** Runs when a client or worker starts, in order, before it does anything. A rejection fails the start. */
  start?(role: "client" | "worker"): Promise<void>;

  /** Runs when it has stopped, in reverse order. A rejection is logged and stops nothing. */
  stop?(role: "client" | "worker"): Promise<void>;
}

/** One execution of a handler, as middlewares see it. */
export interface Execution {
  readonly message: Message;
  /** The decoded input, as the handler gets it. */
  readonly input: unknown;
  readonly signal: AbortSignal;
}

const circuitBrand = Symbol.for("taskferry.short-circuit");

/** What an `execute` returns to answer with `value` without calling `next`. */
export function shortCircuit(value: unknown): unknown {
  return { [circuitBrand]: true, value };
}

/** The value inside {@link shortCircuit}, or `undefined` for anything else. */
export function readShortCircuit(returned: unknown): { readonly value: unknown } | undefined {
  return typeof returned === "object" && returned !== null && circuitBrand in returned
    ? (returned as unknown as { readonly value: unknown })
    : undefined;
}
