import type { Delivery } from "../broker.ts";
import type { RunningTask } from "../presence.ts";
import { TurnoverSet } from "../turnover.ts";
import type { Job } from "./job.ts";

/**
 * What runs, or waits to be let in or settled. Each task comes in here and leaves, and few are ever looked for: so they are
 * looked through, and kept without a key.
 */
export class Jobs {
  readonly #jobs = new TurnoverSet<Job>();

  add(job: Job): void {
    this.#jobs.add(job);
  }

  remove(job: Job): void {
    this.#jobs.delete(job);
  }

  /** The one of this id and run. */
  get(key: string): Job | undefined {
    for (const job of this.#jobs) if (job.key === key) return job;
    return undefined;
  }

  /** The job of this very delivery. */
  of(delivery: Delivery): Job | undefined {
    for (const job of this.#jobs) if (job.delivery === delivery) return job;
    return undefined;
  }

  get all(): readonly Job[] {
    return [...this.#jobs];
  }

  /** Those whose handlers run. */
  get running(): readonly RunningTask[] {
    return this.all
      .filter(({ execution }) => execution !== undefined)
      .map(({ message: { id, task, queue, attempt }, startedAt }) => ({ id, task, queue, attempt, startedAt }));
  }
}
