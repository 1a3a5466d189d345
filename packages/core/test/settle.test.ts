import { describe, expect, test } from "vitest";
import { AbortedError, FailTask, MessageError } from "../src/errors.ts";
import type { Ended } from "../src/worker/job.ts";
import { type SettlePolicy, settle } from "../src/worker/settle.ts";

const policy: SettlePolicy = {
  attempt: 0,
  attempts: 3,
  backoff: { from: 1_000, to: 60_000 },
  isAcknowledged: false,
  random: () => 0.5,
};
const last = { ...policy, attempt: 2 };
const acknowledged = { ...policy, isAcknowledged: true };
const result = { contentType: "application/json", body: new Uint8Array([49]) };
const boom: Ended = { kind: "threw", error: new Error("boom"), isFinal: false };
const timedOut: Ended = { kind: "timedOut", error: new AbortedError("TASK_TIMED_OUT", "too long") };
const stored = { id: "a", task: "t", run: 0, attempt: 1, enqueuedAt: 1, finishedAt: 2, worker: "crashed", ttl: 1_000 };

interface Row {
  readonly outcome: string;
  readonly ended: Ended;
  readonly policy: SettlePolicy;
  readonly stored: string | undefined;
  readonly then: object;
}

const rows: readonly Row[] = [
  { outcome: "succeeded", ended: { kind: "returned", result }, policy, stored: "succeeded", then: { kind: "ack" } },
  {
    outcome: "failed, attempts left",
    ended: boom,
    policy,
    stored: undefined,
    then: { kind: "retry", delay: 500, attempt: 1 },
  },
  {
    outcome: "failed again, attempts left",
    ended: boom,
    policy: { ...policy, attempt: 1 },
    stored: undefined,
    then: { kind: "retry", delay: 1_000, attempt: 2 },
  },
  {
    outcome: "failed, none left",
    ended: boom,
    policy: last,
    stored: "failed",
    then: { kind: "reject", code: "TASK_FAILED", message: "Error: boom" },
  },
  {
    outcome: "failed for good",
    ended: { kind: "threw", error: new FailTask("no"), isFinal: true },
    policy,
    stored: "failed",
    then: { kind: "reject", code: "TASK_FAILED" },
  },
  {
    outcome: "failed, acknowledged before",
    ended: boom,
    policy: acknowledged,
    stored: "failed",
    then: { kind: "reject" },
  },
  {
    outcome: "RetryLater",
    ended: { kind: "later", delay: 7 },
    policy: last,
    stored: undefined,
    then: { kind: "retry", delay: 7, attempt: 2, error: undefined },
  },
  {
    outcome: "RetryLater, acknowledged before",
    ended: { kind: "later", delay: 7 },
    policy: acknowledged,
    stored: "failed",
    then: { kind: "reject" },
  },
  {
    outcome: "cancelled",
    ended: { kind: "cancelled", code: "TASK_CANCELLED", reason: "no longer needed" },
    policy,
    stored: "cancelled",
    then: { kind: "ack" },
  },
  {
    outcome: "expired",
    ended: { kind: "cancelled", code: "TASK_EXPIRED", reason: "late" },
    policy,
    stored: "cancelled",
    then: { kind: "ack" },
  },
  {
    outcome: "timed out, attempts left",
    ended: timedOut,
    policy,
    stored: undefined,
    then: { kind: "retry", attempt: 1 },
  },
  {
    outcome: "timed out, none left",
    ended: timedOut,
    policy: last,
    stored: "failed",
    then: { kind: "reject", code: "TASK_TIMED_OUT" },
  },
  {
    outcome: "unknown task",
    ended: { kind: "refused", error: new MessageError("TASK_UNKNOWN", "who?") },
    policy,
    stored: "failed",
    then: { kind: "reject", code: "TASK_UNKNOWN" },
  },
  { outcome: "worker stopping", ended: { kind: "stopping" }, policy, stored: undefined, then: { kind: "release" } },
  {
    outcome: "worker stopping, acknowledged before",
    ended: { kind: "stopping" },
    policy: acknowledged,
    stored: "failed",
    then: { kind: "reject" },
  },
  {
    outcome: "delivered again after its success was stored",
    ended: { kind: "repeated", outcome: { ...stored, status: "succeeded", result } },
    policy,
    stored: undefined,
    then: { kind: "ack" },
  },
  {
    outcome: "delivered again after its failure was stored",
    ended: {
      kind: "repeated",
      outcome: { ...stored, status: "failed", error: { name: "Error", message: "boom", code: "E" } },
    },
    policy,
    stored: undefined,
    then: { kind: "reject", code: "TASK_FAILED", message: "Error: boom" },
  },
  {
    outcome: "delivered again after its refusal was stored",
    ended: {
      kind: "repeated",
      outcome: { ...stored, status: "failed", error: { name: "MessageError", message: "who?", code: "TASK_UNKNOWN" } },
    },
    policy,
    stored: undefined,
    then: { kind: "reject", code: "TASK_UNKNOWN", message: "MessageError: who?" },
  },
  { outcome: "lease lost", ended: { kind: "leaseLost" }, policy, stored: undefined, then: { kind: "nothing" } },
];

describe("settle decides what becomes of a delivery", () => {
  test.each(rows)("$outcome", ({ ended, policy, stored, then }) => {
    const verdict = settle(ended, policy);
    expect(verdict.store?.status).toBe(stored);
    expect(verdict.then).toMatchObject(then);
  });

  test("a refused message counts no attempt, a failure counts one", () => {
    expect(settle({ kind: "refused", error: new MessageError("TASK_UNKNOWN", "who?") }, policy).store).toMatchObject({
      attempt: 0,
    });
    expect(settle(boom, last).store).toMatchObject({ attempt: 3, error: { name: "Error", message: "boom" } });
  });

  test.each([undefined, null, 0, "text", Symbol("s"), { a: 1n }])(
    "what was thrown is told, whatever it is: %s",
    (thrown) => {
      expect(settle({ kind: "threw", error: thrown, isFinal: true }, policy).store).toMatchObject({
        status: "failed",
        error: { name: "NonError", message: expect.stringContaining("which is no Error") },
      });
    },
  );
});
