/** What is known of an enqueued task without asking. */
export interface Enqueued {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** When it was enqueued; `undefined` for one attached by id. */
  readonly enqueuedAt: number | undefined;
  readonly resultTtl: number;
  /** Whether there is a trace of it besides an outcome. Absent: it is looked for in its queue. */
  readonly isUnderWay?: () => Promise<boolean>;
}
