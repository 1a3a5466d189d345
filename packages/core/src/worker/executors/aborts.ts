import { AbortedError } from "../../errors.ts";
import type { Ended, Job } from "../job.ts";

/** Aborts a job when its timeout is over, and gives it up `grace` milliseconds later. Returns the way to call it off. */
export function startTimeout(job: Job, timeout: number, grace: number): () => void {
  const end = new AbortedError(
    "TASK_TIMED_OUT",
    `The handler of ${job.message.task} took longer than its timeout of ${timeout} ms.`,
  );
  let timer = setTimeout(
    () => {
      job.abort(end);
      timer = setTimeout(() => job.giveUp(), grace);
    },
    Math.min(timeout, 2 ** 31 - 1),
  );
  return () => clearTimeout(timer);
}

/** How a job ended whose signal aborted: whatever the handler made of it, the reason decides. */
export function endAborted({ aborted }: Job): Ended | undefined {
  switch (aborted?.code) {
    case "TASK_TIMED_OUT":
      return { kind: "timedOut", error: aborted };
    case "LEASE_LOST":
      return { kind: "leaseLost" };
    case "WORKER_STOPPING":
      return { kind: "stopping" };
    case "TASK_CANCELLED":
      return { kind: "cancelled", code: "TASK_CANCELLED", reason: aborted.message };
    default:
      return undefined;
  }
}

/** How a job ends before it starts: what was cancelled or lost neither starts nor begins to wait, and at a stop nothing does. */
export function endUnrun(job: Job, isStopping: boolean): Ended | undefined {
  return job.aborted === undefined && !isStopping ? undefined : (endAborted(job) ?? { kind: "stopping" });
}

/** How a job ended whose signal aborted, once the handler has ended by itself. */
export function endOverruled(job: Job): Ended | undefined {
  return findFailure(job) === undefined ? undefined : endAborted(job);
}

/** Why a job counts as failed whatever its handler returned: one that ends while the worker stops has done its work. */
export function findFailure({ aborted }: Job): AbortedError | undefined {
  return aborted?.code === "WORKER_STOPPING" ? undefined : aborted;
}
