import type { Ended, Job } from "./job.ts";

/**
 * Runs handlers. The worker asks for nothing but this, so handlers can run in its event loop, in threads or in
 * processes.
 */
export interface Executor {
  /**
   * Runs the job's handler to its end and never rejects. While it does, `job.abort` reaches the handler's signal, and
   * `job.giveUp()` ends the execution whatever the handler does: what runs in a thread or process of its own is killed,
   * what shares an event loop is left behind. A job that aborts for its timeout is given up a grace later.
   */
  execute(job: Job): Promise<Ended>;

  /** Hands back what has come to it from a queue and has not begun. What comes later begins. */
  recall(queue: string): void;

  /** Starts nothing more: jobs that wait for a free thread or process are handed back. What runs goes on. */
  stop(): void;
}
