import type { Execution } from "../../middleware.ts";
import type { Job } from "../job.ts";

/** A middleware's view of a job: its signal is made only for who looks. */
export class JobExecution implements Execution {
  readonly message: Job["message"];
  readonly input: unknown;
  readonly #job: Job;

  constructor(job: Job) {
    this.message = job.message;
    this.input = job.input;
    this.#job = job;
  }

  get options(): Job["options"] {
    return this.#job.options;
  }
  get signal(): AbortSignal {
    return this.#job.signal;
  }
}
