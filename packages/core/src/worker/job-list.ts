import type { Job } from "./job.ts";

/** Jobs that come and go with every task: a job knows its place, so that neither costs a look-up. */
export class JobList {
  readonly #jobs: (Job | undefined)[] = [];
  readonly #free: number[] = [];

  /** A job is in one list at most. */
  add(job: Job): void {
    job.place = this.#free.pop() ?? this.#jobs.length;
    this.#jobs[job.place] = job;
  }

  remove(job: Job): void {
    if (this.#jobs[job.place] !== job) return;
    this.#jobs[job.place] = undefined;
    this.#free.push(job.place);
  }

  /** All that are in it now. */
  get all(): readonly Job[] {
    return this.#jobs.filter((job) => job !== undefined);
  }
}
