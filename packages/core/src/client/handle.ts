import type { BareHandle } from "../callable-task.ts";
import type { Enqueued } from "../enqueue/enqueued.ts";
import type { Outcome } from "../outcome.ts";
import { type Canceller, type CancelOptions, type CancelStatus, defaultReason } from "./canceller.ts";
import type { OutcomeReader, TaskStatus, WaitLimits } from "./outcome-reader.ts";
import type { Progress, ProgressReader } from "./progress-reader.ts";

/** The caller's view of one enqueued task. */
export interface Handle<TResult = unknown> extends BareHandle {
  /**
   * Waits for the task's result.
   *
   * @throws TaskFailedError, TaskCancelledError (`TASK_CANCELLED`, `TASK_EXPIRED`), ResultTimeoutError after `timeout`,
   * ResultMissingError (`RESULT_EXPIRED`, `RESULT_UNKNOWN`) where there will be none, or `signal.reason`.
   */
  result(options?: WaitLimits): Promise<TResult>;
  /** Waits for the outcome, as a union. Rejects with ResultTimeoutError, ResultMissingError or `signal.reason` only. */
  outcome(options?: WaitLimits): Promise<Outcome<TResult>>;
  /**
   * Cancels the task: what waits never starts, what runs sees its signal abort. It resolves once that is written down for
   * all workers, not when the task has ended: `await handle.outcome()` tells that.
   *
   * @param reason - what the outcome says. Default `"cancelled"`.
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  cancel(reason?: string, options?: CancelOptions): Promise<CancelStatus>;
  /** What is known now, without waiting. */
  get(): Promise<TaskStatus<TResult>>;
  /**
   * The progress that the handler reports, from the newest on; ends when the task has ended, or `signal` aborts.
   *
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  progress(options?: { readonly signal?: AbortSignal }): AsyncIterable<Progress>;
}

/** A handle of a client without a state store. */
export type StatelessHandle<TResult = unknown> = Omit<Handle<TResult>, "cancel" | "progress">;

export interface HandleReaders {
  readonly outcomes: OutcomeReader;
  readonly progress: ProgressReader;
  readonly canceller: Canceller;
}

/** Made for every enqueue, so it holds nothing but what it was given. */
export class TaskHandle implements Handle {
  readonly #parts: Enqueued;
  readonly #readers: HandleReaders;

  constructor(parts: Enqueued, readers: HandleReaders) {
    this.#parts = parts;
    this.#readers = readers;
  }

  get id(): string {
    return this.#parts.id;
  }

  get task(): string {
    return this.#parts.task;
  }

  result(limits?: WaitLimits): Promise<unknown> {
    return this.#readers.outcomes.result(this.#parts, limits);
  }

  outcome(limits?: WaitLimits): Promise<Outcome> {
    return this.#readers.outcomes.outcome(this.#parts, limits);
  }

  async cancel(reason = defaultReason, options?: CancelOptions): Promise<CancelStatus> {
    const [status = "requested"] = await this.#readers.canceller.cancel([this.#parts], reason, options);
    return status;
  }

  get(): Promise<TaskStatus> {
    return this.#readers.outcomes.get(this.#parts);
  }

  progress(options?: { readonly signal?: AbortSignal }): AsyncIterable<Progress> {
    return this.#readers.progress.read(this.id, options?.signal);
  }
}
