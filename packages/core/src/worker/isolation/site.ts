import type { Ended, Job } from "../job.ts";

/** A place apart from the worker's event loop where handlers run. */
export interface Site {
  /** Runs a job there, as soon as there is room. */
  run(job: Job, listeners: RunListeners): SiteRun;
  /** What waits for room, of one queue, ends as `stopping`, unless it was acknowledged: that cannot come again. */
  recall(queue: string): void;
  /** Starts nothing more: what waits for room ends as `stopping`. */
  stop(): void;
  /** Ends all threads and processes, whatever they do. */
  close(): Promise<void>;
  /** Bytes that its processes hold. */
  readonly memory: number;
}

export interface RunListeners {
  /** The handler begins, or begins again after a crash that was not its own. */
  onStart(): void;
  /**
   * Called once.
   *
   * @param waited - milliseconds after `onStart` in which it waited there for a slot.
   */
  onEnd(ended: Ended, waited: number): void;
}

export interface SiteRun {
  /** Ends it whatever the handler does; `onEnd` is not called any more. Resolves when nothing more can be done about it. */
  giveUp(): Promise<void>;
}
