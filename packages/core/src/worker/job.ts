import type { Delivery, ReadableDelivery } from "../broker.ts";
import type { AbortedError, TaskferryError } from "../errors.ts";
import type { Handler } from "../handler.ts";
import type { Message } from "../message.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { Body } from "../protection/body.ts";
import type { Captured } from "../surroundings.ts";
import type { ResolvedTaskOptions } from "../task-options.ts";

/** Brings an abort to a handler that runs elsewhere. */
export interface AbortCarrier {
  carryAbort(reason: AbortedError): void;
}

/** A handler that runs. */
export interface RunningExecution {
  /** Ends it from outside, whatever the handler does. */
  giveUp(): void;
}

const nothing = (): void => undefined;

/** One message on its way through a worker, from decoding to settlement. */
export class Job {
  /** Replaced when the message is delivered again while it runs here, on brokers without leases. */
  delivery: ReadableDelivery;
  readonly message: Message;
  /** Its id and run: what makes two deliveries the same execution. */
  readonly key: string;
  readonly handler: Handler;
  readonly input: unknown;
  /** The serialized input, after whatever protected it on its way; `undefined`: nothing did. */
  readonly opened: Body | undefined;
  readonly options: ResolvedTaskOptions;
  /** Wall-clock epoch milliseconds; 0 until the handler begins. */
  startedAt = 0;
  /** Handlers of its queue that run at once, where it may be sent ahead of a free slot; else 0. */
  slots = 0;
  /** Whether the broker has forgotten the message already (`acknowledge: "received"` or `"executed"`). */
  isAcknowledged = false;
  /** Whether all gates let it in, so that they must be told when it is over. */
  hasEntered = false;
  /** Why its signal aborted. */
  aborted: AbortedError | undefined;
  /** Where it stands among the jobs of its queue. */
  place = -1;
  /** Frees the slot that it was started in. */
  onFree: () => void = nothing;
  /** To be told as the handler itself begins, or is sent to where it runs. */
  onBegin: () => void = nothing;
  /** Set while the handler runs. */
  execution: RunningExecution | undefined;
  /** What surrounds its handler, where that runs elsewhere. */
  captured: Captured | undefined;
  /** Where its handler runs, when that is elsewhere. */
  carrier: AbortCarrier | undefined;
  #controller: AbortController | undefined;

  constructor(parts: Pick<Job, "delivery" | "message" | "handler" | "input" | "options"> & { readonly opened?: Body }) {
    this.delivery = parts.delivery;
    this.message = parts.message;
    this.key = runKey(parts.message);
    this.handler = parts.handler;
    this.input = parts.input;
    this.opened = parts.opened === parts.message ? undefined : parts.opened;
    this.options = parts.options;
  }

  /** Made at first use: most handlers never look, and an AbortController costs more than a short task. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.aborted !== undefined && !this.#controller.signal.aborted) this.#controller.abort(this.aborted);
    return this.#controller.signal;
  }

  abort(reason: AbortedError): void {
    if (this.aborted !== undefined) return;
    this.aborted = reason;
    this.#controller?.abort(reason);
    this.carrier?.carryAbort(reason);
  }

  /** Ends its execution, if it has begun and not ended. */
  giveUp(): void {
    this.execution?.giveUp();
  }
}

/** How an execution ended, before anybody decides what becomes of it. */
export type Ended =
  | { readonly kind: "returned"; readonly result: NonNullable<StoredOutcome["result"]> }
  /** `isFinal`: no further attempt can help. */
  | { readonly kind: "threw"; readonly error: unknown; readonly isFinal: boolean }
  | { readonly kind: "later"; readonly delay: number }
  /** A limit of its task is reached: it did not run, and comes again after `delay`. */
  | { readonly kind: "limited"; readonly delay: number }
  | { readonly kind: "cancelled"; readonly code: "TASK_CANCELLED" | "TASK_EXPIRED"; readonly reason: string }
  | { readonly kind: "timedOut"; readonly error: AbortedError }
  /** It has ended before, elsewhere or here: what its worker did not come to settle, or a copy. `outcome` where it is known. */
  | { readonly kind: "repeated"; readonly outcome: StoredOutcome | undefined }
  /** It could not be run at all. */
  | { readonly kind: "refused"; readonly error: TaskferryError }
  | { readonly kind: "stopping" }
  | { readonly kind: "leaseLost" };

/** A delivery that cannot become a job, or need not. `id` where it can be read. */
export interface Unrunnable {
  readonly delivery: Delivery;
  readonly id: string | undefined;
  readonly ended: Extract<Ended, { readonly kind: "refused" | "cancelled" | "repeated" | "stopping" }>;
}

export function runKey({ id, run }: Pick<Message, "id" | "run">): string {
  // No id has a space in it; most runs are the first, and need no text of their own.
  return run === 0 ? id : `${id} ${run}`;
}
