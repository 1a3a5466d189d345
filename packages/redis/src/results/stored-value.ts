import { decodeOutcome, encodeOutcome, isTaskferryError, MessageError, type StoredOutcome } from "@taskferry/core";

export const maxOutcomeBytes = 16 * 1024 * 1024;

/** The run, a line feed, the encoded outcome: so that a script reads the run without JSON. */
export function toValue(outcome: StoredOutcome): Buffer {
  const run = `${outcome.run}\n`;
  const value = encodeOutcome(outcome, run);
  const length = value.length - run.length;
  if (length <= maxOutcomeBytes) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new MessageError(
    "MESSAGE_TOO_LARGE",
    `Expected an outcome of at most ${maxOutcomeBytes} bytes, got ${length}. Return a reference to the data.`,
    { id: outcome.id },
  );
}

export function fromValue(value: Buffer): StoredOutcome {
  return decodeOutcome(value.subarray(value.indexOf(0x0a) + 1));
}

/** `undefined` for bytes that are no outcome, or one of a later version. */
export function tryFromValue(value: Buffer): StoredOutcome | undefined {
  try {
    return fromValue(value);
  } catch (error) {
    if (isTaskferryError(error)) return undefined;
    throw error;
  }
}
