import type { Delivery } from "../broker.ts";
import type { RunningTask } from "../presence.ts";
import type { Job } from "./job.ts";

/**
 * What runs, or waits to be let in or settled. Each task comes in here and leaves, and few are ever looked for: so they are
 * looked through, and kept without a key.
 */
export class Jobs {
  readonly #jobs: Job[] = [];

  add(job: Job): void {
    job.place = this.#jobs.length;
    this.#jobs.push(job);
  }

  /** The last one takes its place. */
  remove(job: Job): void {
    if (this.#jobs[job.place] !== job) return;
    const last = this.#jobs.pop() as Job;
    if (last === job) return;
    this.#jobs[job.place] = last;
    last.place = job.place;
  }

  /** The one of this id and run. */
  get(key: string): Job | undefined {
    return this.#jobs.find((job) => job.key === key);
  }

  /** The job of this very delivery. */
  of(delivery: Delivery): Job | undefined {
    return this.#jobs.find((job) => job.delivery === delivery);
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
