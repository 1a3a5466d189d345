import type { Ended, Job } from "./job.ts";

/** Told how the execution of a job ended. */
export type OnEnd = (job: Job, ended: Ended) => void;

/**
 * Runs handlers. The worker asks for nothing but this, so handlers can run in its event loop, in threads or in
 * processes.
 */
export interface Executor {
  /**
   * Runs the job's handler to its end, never throws, and calls `onEnd` once, after it has returned: a callback rather than
   * a promise, since this is done for every task. While the handler runs, `job.abort` reaches its signal, and
   * `job.giveUp()` ends the execution whatever the handler does: what runs in a thread or process of its own is killed,
   * what shares an event loop is left behind. A job that aborts for its timeout is given up a grace later.
   */
  execute(job: Job, onEnd: OnEnd): void;

  /** Hands back what has come to it from a queue and has not begun. What comes later begins. */
  recall(queue: string): void;

  /** Starts nothing more: jobs that wait for a free thread or process are handed back. What runs goes on. */
  stop(): void;
}
