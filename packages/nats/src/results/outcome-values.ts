import {
  decodeOutcome,
  encodeOutcome,
  idOrigin,
  isTaskferryError,
  MessageError,
  type StoredOutcome,
} from "@taskferry/core";
import type { Stored } from "../stored.ts";

/** @throws MessageError `MESSAGE_TOO_LARGE`. */
export function toValue(outcome: StoredOutcome, most: number): Uint8Array {
  const bytes = encodeOutcome(outcome);
  if (bytes.length <= most) return bytes;
  throw new MessageError(
    "MESSAGE_TOO_LARGE",
    `Expected an outcome of at most ${most} bytes, got ${bytes.length}. Return a reference to the data, or raise \`maxOutcomeBytes\` and the server's max_payload.`,
    { id: outcome.id },
  );
}

/** `undefined` for bytes that are no outcome, or one of a later version. */
export function tryFromValue(value: Uint8Array): StoredOutcome | undefined {
  try {
    return decodeOutcome(value);
  } catch (error) {
    if (isTaskferryError(error)) return undefined;
    throw error;
  }
}

/** The outcome that stands, if its time is not over. The server keeps it for longer than it may have asked for. */
export function standing(stored: Stored | undefined, now: number): StoredOutcome | undefined {
  if (stored === undefined) return undefined;
  const outcome = tryFromValue(stored.bytes);
  return outcome !== undefined && stored.storedAt + outcome.ttl > now ? outcome : undefined;
}

/**
 * An id as a part of a subject: one token; or, of an id that a process made, the token of the process and that of the rest,
 * so that the process can hear of all its own.
 */
export function keyOf(id: string): string {
  const origin = idOrigin(id);
  if (origin !== undefined) return `${origin}.${id.slice(0, -origin.length)}`;
  return id.replaceAll(".", "=").replaceAll(":", "/");
}

/** The id that a subject ends with, where {@link keyOf} made two tokens of it. */
export function ownIdOf(subject: string): string {
  const [origin, rest] = subject.split(".").slice(-2);
  return `${rest}${origin}`;
}
