import { isTaskferryError, MessageError } from "../errors.ts";
import type { Message } from "../message.ts";
import { canonicalJson } from "./canonical-json.ts";
import { cannotSign, type Signatures, type SignedContent } from "./signatures.ts";

/** Attempts that a task may have at most. */
const mostAttempts = 1_000;

/**
 * The message with its signature: over what never changes on its way. Attempt, hop and `notBefore` change with each retry,
 * which workers publish who may have no key; they are bounded when they are read. The trace context is not signed.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` where no key may sign tasks.
 */
export function signMessage(message: Message, signatures: Signatures): Message {
  const { signature: _, ...unsigned } = message;
  const until = Math.ceil((message.expiresAt ?? message.notBefore ?? message.enqueuedAt) + signatures.validFor);
  const token = signatures.sign("task", contentOf(unsigned), until);
  if (token !== undefined) return { ...unsigned, signature: token };
  if (signatures.accepts("task")) return unsigned;
  throw cannotSign("task");
}

/**
 * Checks that a message is what its client signed, at its place and in its time.
 *
 * @param queue - where it was found.
 * @returns until when it may run; `undefined` for an unsigned one that is accepted.
 * @throws MessageError `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `KEY_UNKNOWN`, `MESSAGE_MOVED`, `SIGNATURE_EXPIRED`.
 */
export function verifyMessage(message: Message, queue: string, signatures: Signatures): number | undefined {
  const until = verifySignature(message, queue, signatures);
  if (until === undefined || until > Date.now()) return until;
  throw new MessageError(
    "SIGNATURE_EXPIRED",
    `Its signature held until ${new Date(until).toISOString()}. Replay it from the dead letters to sign it anew, or raise \`validFor\` of \`signatures\`.`,
  );
}

/** The same without a look at the clock: for replays from the dead letters, which sign anew. */
export function verifySignature(message: Message, queue: string, signatures: Signatures): number | undefined {
  if (message.signature === undefined) {
    if (signatures.accepts("task")) return undefined;
    throw new MessageError(
      "SIGNATURE_MISSING",
      "Expected a signed message, got one without a signature. Give its client `signatures`, and find who else writes into the queue.",
    );
  }
  const until = signatures.verify("task", contentOf(message), message.signature);
  if (message.queue !== queue) {
    throw new MessageError(
      "MESSAGE_MOVED",
      `Expected messages of the queue "${queue}", got one that was signed for the queue "${message.queue}".`,
    );
  }
  if (message.attempt > mostAttempts || message.hop < message.attempt) {
    throw new MessageError(
      "SIGNATURE_INVALID",
      "Expected counters that a worker writes, got an attempt above its hop.",
    );
  }
  return until;
}

/** Whether it is what its client signed, whenever that was. */
export function isSigned(message: Message, signatures: Signatures): boolean {
  try {
    verifySignature(message, message.queue, signatures);
    return true;
  } catch (error) {
    if (isTaskferryError(error)) return false;
    throw error;
  }
}

/** Until when the signature of a message holds that was verified before. */
export function signedUntil(signature: string): number {
  return Number(signature.split(":")[2]);
}

function contentOf(message: Omit<Message, "signature">): SignedContent {
  const { id, run, task, queue, enqueuedAt, expiresAt, priority, contentType, plan, replyTo, policy, headers, unique } =
    message;
  const facts = canonicalJson([
    id,
    run,
    task,
    queue,
    enqueuedAt,
    expiresAt ?? null,
    priority ?? null,
    contentType,
    plan ?? null,
    replyTo ?? null,
    policy ?? null,
    headers ?? null,
    unique ?? null,
  ]);
  return { facts, body: message.body };
}
