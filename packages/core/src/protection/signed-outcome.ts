import { MessageError } from "../errors.ts";
import type { StoredOutcome } from "../outcome.ts";
import { canonicalJson } from "./canonical-json.ts";
import { cannotSign, type Signatures, type SignedContent } from "./signatures.ts";

const none = new Uint8Array();

/**
 * The outcome with its signature, where a key here may sign results.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` where it would be refused by its readers.
 */
export function signOutcome(outcome: StoredOutcome, signatures: Signatures): StoredOutcome {
  const { signature: _, ...unsigned } = outcome;
  // It is kept for as long as it is kept: its time is the backend's business, so the signature holds for ever.
  const token = signatures.sign("result", contentOf(unsigned), 0);
  if (token !== undefined) return { ...unsigned, signature: token };
  if (signatures.accepts("result")) return unsigned;
  throw cannotSign("result");
}

/** @throws MessageError `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `KEY_UNKNOWN`. */
export function verifyOutcome(outcome: StoredOutcome, signatures: Signatures): void {
  if (outcome.signature !== undefined) {
    signatures.verify("result", contentOf(outcome), outcome.signature);
  } else if (!signatures.accepts("result")) {
    throw new MessageError(
      "SIGNATURE_MISSING",
      `Expected a signed outcome of task ${outcome.id}, got one without a signature. Give its worker \`signatures\` with a key for results, and find who else writes into the result backend.`,
    );
  }
}

function contentOf(outcome: Omit<StoredOutcome, "signature">): SignedContent {
  const { id, run, task, attempt, status, enqueuedAt, startedAt, finishedAt, worker, error, reason, code } = outcome;
  const facts = canonicalJson([
    id,
    run,
    task,
    attempt,
    status,
    enqueuedAt,
    startedAt ?? null,
    finishedAt,
    worker,
    error ?? null,
    reason ?? null,
    code ?? null,
    outcome.result?.contentType ?? null,
  ]);
  return { facts, body: outcome.result?.body ?? none };
}
