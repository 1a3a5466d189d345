import { randomUUID } from "node:crypto";
import type { StoredOutcome } from "@taskferry/core";
import { expect } from "vitest";

/** An outcome that succeeded, with a fresh id, kept for a minute; its result says which one it is. */
export function createOutcome(fields: Partial<StoredOutcome> = {}): StoredOutcome {
  const id = fields.id ?? randomUUID();
  return {
    id,
    task: "suite.task",
    attempt: 0,
    run: 0,
    enqueuedAt: Date.now(),
    startedAt: Date.now(),
    finishedAt: Date.now(),
    worker: `worker-${randomUUID()}`,
    status: "succeeded",
    result: { contentType: "application/octet-stream", body: Buffer.from(randomUUID()) },
    ttl: 60_000,
    ...fields,
  };
}

/** Expects the very same outcome: each field and each byte. */
export function expectSameOutcome(actual: StoredOutcome | undefined, expected: StoredOutcome, what = "outcome"): void {
  if (actual === undefined) throw new Error(`Expected ${what} of ${expected.id}, got none.`);
  expect(asText(actual), what).toEqual(asText(expected));
}

/** But for the address, which only shows the way. */
function asText({ result, replyTo: _, ...fields }: StoredOutcome): object {
  if (result === undefined) return fields;
  return { ...fields, result: { ...result, body: Buffer.from(result.body).toString("base64") } };
}
