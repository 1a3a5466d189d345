import { endUnrun } from "./executors/aborts.ts";
import type { Parked } from "./gate.ts";
import type { Ended, Job } from "./job.ts";

/** Milliseconds for which a job waits in a worker that has no slot for it, before others may have it. */
const longestCrowd = 1_000;

/** A job that waits in this worker until its limit has room, or the claim of its task is free. */
export class ParkedJob implements Parked {
  readonly kind = "parked";
  readonly job: Job;
  readonly #parts: ParkedJobParts;
  #room: (() => number) | undefined;
  #resolve: ((ended: Ended | undefined) => void) | undefined;
  #crowdedSince: number | undefined;
  #isOut = false;
  readonly #onAbort = (): void => this.end(endUnrun(this.job, true));

  constructor(job: Job, parts: ParkedJobParts) {
    this.job = job;
    this.#parts = parts;
  }

  /** How many slots are free; `undefined` until it waits. */
  get room(): (() => number) | undefined {
    return this.#room;
  }

  /** Whether it waits no longer. */
  get isOut(): boolean {
    return this.#isOut;
  }

  wait(room: () => number): Promise<Ended | undefined> {
    this.#room = room;
    this.job.signal.addEventListener("abort", this.#onAbort, { once: true });
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  withdraw(): void {
    this.#goOut();
    this.#parts.onGone(this.job);
  }

  end(ended: Ended | undefined): void {
    if (this.#isOut) return;
    this.#goOut();
    if (ended !== undefined) this.#parts.onGone(this.job);
    this.#resolve?.(ended);
  }

  /** Ends the wait when the job's time is over, or when there is no slot for it here. */
  checkTime(now: number): void {
    if (this.#room === undefined) return;
    const { expiresAt } = this.job.message;
    if (expiresAt !== undefined && expiresAt <= Date.now()) {
      const reason = `It expired at ${new Date(expiresAt).toISOString()}, before it started.`;
      this.end({ kind: "cancelled", code: "TASK_EXPIRED", reason });
      return;
    }
    if (this.#room() > 0) this.#crowdedSince = undefined;
    else this.#crowdedSince ??= now;
    if (this.#crowdedSince !== undefined && now - this.#crowdedSince > longestCrowd) this.end({ kind: "stopping" });
  }

  #goOut(): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.job.signal.removeEventListener("abort", this.#onAbort);
    this.#parts.onOut();
  }
}

interface ParkedJobParts {
  /** Called once when it waits no longer, for whatever reason. */
  readonly onOut: () => void;
  /** Called when it will not start; also after it was let in and had not started. */
  readonly onGone: (job: Job) => void;
}
