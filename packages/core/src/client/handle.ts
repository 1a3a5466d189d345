import type { BareHandle, Enqueued } from "../enqueue/enqueued.ts";
import type { Outcome } from "../outcome.ts";
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
  /** What is known now, without waiting. */
  get(): Promise<TaskStatus<TResult>>;
  /**
   * The progress that the handler reports, from the newest on; ends when the task has ended, or `signal` aborts.
   *
   * @throws ConfigurationError `STATE_REQUIRED` where no state store is configured.
   */
  progress(options?: { readonly signal?: AbortSignal }): AsyncIterable<Progress>;
}

export interface HandleReaders {
  readonly outcomes: OutcomeReader;
  readonly progress: ProgressReader;
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

  get(): Promise<TaskStatus> {
    return this.#readers.outcomes.get(this.#parts);
  }

  progress(options?: { readonly signal?: AbortSignal }): AsyncIterable<Progress> {
    return this.#readers.progress.read(this.id, options?.signal);
  }
}
