import type { Delivery } from "../broker.ts";
import type { RunningTask } from "../presence.ts";
import { TurnoverMap } from "../turnover.ts";
import { type Job, runKey } from "./job.ts";

/** What runs, or waits to be let in or settled, by id and run. */
export class Jobs {
  readonly #byKey = new TurnoverMap<string, Job>();

  add(job: Job): void {
    this.#byKey.set(job.key, job);
  }

  remove(job: Job): void {
    if (this.#byKey.get(job.key) === job) this.#byKey.delete(job.key);
  }

  get(key: string): Job | undefined {
    return this.#byKey.get(key);
  }

  /** The job of this very delivery. */
  of(delivery: Delivery): Job | undefined {
    const { message } = delivery;
    const job = message === undefined ? undefined : this.#byKey.get(runKey(message));
    return job?.delivery === delivery ? job : undefined;
  }

  get all(): readonly Job[] {
    return [...this.#byKey.values()];
  }

  /** Those whose handlers run. */
  get running(): readonly RunningTask[] {
    return this.all
      .filter(({ execution }) => execution !== undefined)
      .map(({ message: { id, task, queue, attempt }, startedAt }) => ({ id, task, queue, attempt, startedAt }));
  }
}
