import type { OutgoingMessage, PublishResult } from "./broker.ts";
import type { TaskferryEvent } from "./events.ts";
import type { Logger } from "./logger.ts";
import type { Message } from "./message.ts";
import type { StateStore } from "./state-store.ts";

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

  /**
   * Runs when a client or worker starts, in order, before it does anything: the place to connect a pool or to warm a
   * cache. A rejection fails the start. One middleware may serve several clients and workers: each has its own `host`.
   */
  start?(role: "client" | "worker", host: MiddlewareHost): Promise<void>;

  /** Runs when it has stopped, in reverse order. A rejection is logged and stops nothing. */
  stop?(role: "client" | "worker", host: MiddlewareHost): Promise<void>;

  /**
   * Told of every event of its client, worker or scheduler, as by `on`: at once, so it must be quick. What it throws is
   * logged and harms nothing. Looked up when all middlewares have started; events cost something only where it is there.
   */
  readonly listen?: ((event: TaskferryEvent) => void) | undefined;

  /** What surrounds a handler, for one that runs in a thread or process of its own. */
  readonly surroundings?: Surroundings;
}

/** The client or worker that a middleware serves. */
export interface MiddlewareHost {
  readonly logger: Logger;
  /** Absent where none is configured. */
  readonly state: StateStore | undefined;
  /** Writes and reads values as the host does. */
  readonly serializers: {
    readonly contentType: string;
    serialize(value: unknown): Uint8Array;
    deserialize(contentType: string, bytes: Uint8Array): unknown;
  };
  /**
   * Makes a worker take no more from a queue, and hand back what has not started, until the returned function is called.
   * What runs goes on. Several may hold one queue: it goes on when the last lets go. A client takes nothing anyway.
   */
  pause(queue: string): () => void;
}

/**
 * What surrounds a handler while `execute` runs around it, such as a trace context in an AsyncLocalStorage. It goes along
 * to the thread or process where the handler runs, and comes back with what that enqueues.
 */
export interface Surroundings {
  /**
   * The URL of a module that exports this as `surroundings`: threads and processes load it for themselves, and not the
   * configuration.
   */
  readonly module: string | URL;
  /** What of the surroundings of this call is to be had elsewhere too, as texts; `undefined`: nothing. */
  capture(): Readonly<Record<string, string>> | undefined;
  /** Calls `run` in the surroundings that were captured elsewhere, and returns what it returns. */
  restore<T>(captured: Readonly<Record<string, string>>, run: () => T): T;
}

/** One execution of a handler, as middlewares see it. */
export interface Execution {
  readonly message: Message;
  /** The decoded input, as the handler gets it. */
  readonly input: unknown;
  /** The options of its task, with those that were set at its enqueue. */
  readonly options: ExecutionOptions;
  readonly signal: AbortSignal;
}

/** What of a task's options middlewares go by; times in milliseconds. */
export interface ExecutionOptions {
  readonly retry: { readonly attempts: number };
  readonly timeout: number | undefined;
  /** With `"received"` the broker has forgotten the message: it cannot come again, so `RetryLater` is a failure. */
  readonly acknowledge: "stored" | "executed" | "received";
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
