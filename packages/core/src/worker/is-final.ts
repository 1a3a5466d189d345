import type { Ended, Job } from "./job.ts";

/** Whether a task that has ended so is over, and will not come again by itself. */
export function isFinal({ options, message, isAcknowledged }: Job, ended: Ended): boolean {
  switch (ended.kind) {
    case "later":
    case "limited":
    case "stopping":
      return isAcknowledged;
    case "leaseLost":
      return false;
    case "threw":
      return ended.isFinal || isAcknowledged || message.attempt + 1 >= options.retry.attempts;
    case "timedOut":
      return isAcknowledged || message.attempt + 1 >= options.retry.attempts;
    default:
      return true;
  }
}
