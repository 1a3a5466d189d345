/** The caller's view of one enqueued task, with nothing but its id: what a client without results gives. */
export interface BareHandle {
  readonly id: string;
  /** The name of the task. */
  readonly task: string;
}

/** What is known of an enqueued task without asking. */
export interface Enqueued {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** When it was enqueued; `undefined` for one attached by id. */
  readonly enqueuedAt: number | undefined;
  readonly resultTtl: number;
}
