import { recordError } from "../error-record.ts";
import { type ErrorCode, isTaskferryError } from "../errors.ts";
import type { ErrorRecord, StoredOutcome } from "../outcome.ts";
import { backoff } from "./backoff.ts";
import type { Ended } from "./job.ts";

/** What the decision depends on besides how the execution ended. */
export interface SettlePolicy {
  /** Failures before this execution. */
  readonly attempt: number;
  readonly attempts: number;
  readonly backoff: { readonly from: number; readonly to: number };
  /** The broker has forgotten the message already: nothing can come again. */
  readonly isAcknowledged: boolean;
  readonly random?: () => number;
}

/** What becomes of a delivery: first what is stored, then what the broker is told. */
export interface Verdict {
  readonly store: StoreVerdict | undefined;
  readonly then: SettleVerdict;
}

export type StoreVerdict =
  | { readonly status: "succeeded"; readonly result: NonNullable<StoredOutcome["result"]> }
  | { readonly status: "failed"; readonly error: ErrorRecord; readonly attempt: number }
  | { readonly status: "cancelled"; readonly code: "TASK_CANCELLED" | "TASK_EXPIRED"; readonly reason: string };

export type SettleVerdict =
  | { readonly kind: "ack" }
  | {
      readonly kind: "retry";
      readonly delay: number;
      readonly attempt: number;
      readonly error: ErrorRecord | undefined;
      /** Its limit was reached: nothing ran. */
      readonly isLimited?: true;
    }
  /** `isUntrusted`: nobody knows whose message it was. */
  | { readonly kind: "reject"; readonly code: ErrorCode; readonly message: string; readonly isUntrusted?: true }
  | { readonly kind: "release" }
  | { readonly kind: "nothing" };

/** Decides what becomes of a delivery; the only place that does. */
export function settle(ended: Ended, policy: SettlePolicy): Verdict {
  switch (ended.kind) {
    case "returned":
      return { store: { status: "succeeded", result: ended.result }, then: { kind: "ack" } };
    case "threw":
      return settleFailure(ended.error, ended.isFinal, policy);
    case "timedOut":
      return settleFailure(ended.error, false, policy);
    case "later":
      if (policy.isAcknowledged)
        return settleFailure(
          new Error("RetryLater was thrown, but the task was acknowledged before it ran: it cannot come again."),
          true,
          policy,
        );
      return {
        store: undefined,
        then: { kind: "retry", delay: ended.delay, attempt: policy.attempt, error: undefined },
      };
    case "limited":
      return {
        store: undefined,
        then: { kind: "retry", delay: ended.delay, attempt: policy.attempt, error: undefined, isLimited: true },
      };
    case "cancelled":
      return { store: { status: "cancelled", code: ended.code, reason: ended.reason }, then: { kind: "ack" } };
    case "repeated":
      return { store: undefined, then: settleRepeated(ended.outcome) };
    case "refused":
      if (untrustedCodes.has(ended.error.code)) {
        const { code, message } = ended.error;
        return { store: undefined, then: { kind: "reject", code, message, isUntrusted: true } };
      }
      return giveUp(recordError(ended.error), ended.error.code, policy.attempt);
    case "stopping":
      if (policy.isAcknowledged)
        return settleFailure(
          new Error("The worker stopped before the handler ended, and the task was acknowledged before it ran."),
          true,
          policy,
        );
      return { store: undefined, then: { kind: "release" } };
    case "leaseLost":
      return { store: undefined, then: { kind: "nothing" } };
  }
}

function settleFailure(thrown: unknown, isFinal: boolean, policy: SettlePolicy): Verdict {
  const error = recordError(thrown);
  const attempt = policy.attempt + 1;
  if (isFinal || policy.isAcknowledged || attempt >= policy.attempts) {
    return giveUp(error, isTaskferryError(thrown) ? thrown.code : "TASK_FAILED", attempt);
  }
  return {
    store: undefined,
    then: { kind: "retry", delay: backoff(attempt, policy.backoff, policy.random), attempt, error },
  };
}

function giveUp(error: ErrorRecord, code: ErrorCode, attempt: number): Verdict {
  return {
    store: { status: "failed", error, attempt },
    then: { kind: "reject", code, message: `${error.name}: ${error.message}` },
  };
}

/**
 * Whoever sent these may have put any id on them: an outcome stored under it would be told to those who wait for a task of
 * that id, and could stand in the way of the true one.
 */
const untrustedCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "DECRYPTION_FAILED",
  "ENCRYPTION_MISSING",
  "KEY_UNKNOWN",
  "MESSAGE_MOVED",
  "MESSAGE_REPLAYED",
  "SIGNATURE_EXPIRED",
  "SIGNATURE_INVALID",
  "SIGNATURE_MISSING",
]);

/** Reasons that are told apart in the dead letters; whatever else a handler threw is `TASK_FAILED`. */
const recordedCodes: ReadonlySet<string> = new Set<ErrorCode>([
  "BODY_MISSING",
  "CONTENT_TYPE_UNKNOWN",
  "INPUT_INVALID",
  "MESSAGE_MALFORMED",
  "MESSAGE_TOO_LARGE",
  "MESSAGE_VERSION_UNKNOWN",
  "MIDDLEWARE_FAILED",
  "MIDDLEWARE_MISUSED",
  "NOT_DESERIALIZABLE",
  "NOT_SERIALIZABLE",
  "OUTPUT_INVALID",
  "PROVIDER_FAILED",
  "TASK_CRASHED",
  "TASK_TIMED_OUT",
  "TASK_UNKNOWN",
  "TOO_MANY_DELIVERIES",
]);

/** What its crashed worker had still to tell the broker. */
function settleRepeated(outcome: StoredOutcome | undefined): SettleVerdict {
  if (outcome?.status !== "failed" || outcome.error === undefined) return { kind: "ack" };
  const { error } = outcome;
  const code = recordedCodes.has(error.code ?? "") ? (error.code as ErrorCode) : "TASK_FAILED";
  return { kind: "reject", code, message: `${error.name}: ${error.message}` };
}
