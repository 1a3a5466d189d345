import { Job, type Unrunnable } from "./job.ts";
import type { SettlePolicy } from "./settle.ts";

/** What of a job, or of what cannot be run, decides how its delivery ends. */
export function policyOf(subject: Job | Unrunnable): SettlePolicy {
  if (!(subject instanceof Job)) {
    return {
      attempt: subject.delivery.message?.attempt ?? 0,
      attempts: 0,
      backoff: { from: 0, to: 0 },
      isAcknowledged: false,
    };
  }
  const { message, options, isAcknowledged } = subject;
  return { attempt: message.attempt, attempts: options.retry.attempts, backoff: options.retry.backoff, isAcknowledged };
}
