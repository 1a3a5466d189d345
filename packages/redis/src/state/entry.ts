import { maxStateValueBytes, OptionError, type StateEntry, type StateKey } from "@taskferry/core";

/** What the scripts answer of an entry; nothing where there is none. */
export type Found = readonly [value?: Buffer, revision?: Buffer, expiresAt?: number];

export function toEntry(key: StateKey, [value, revision, expiresAt]: Found): StateEntry | undefined {
  if (value === undefined || revision === undefined) return undefined;
  return { key, value, revision: String(revision), ...(expiresAt !== undefined && expiresAt >= 0 && { expiresAt }) };
}

/** @throws OptionError `STATE_VALUE_TOO_LARGE`. */
export function checkSize(key: StateKey, value: Uint8Array): void {
  if (value.length <= maxStateValueBytes) return;
  throw new OptionError(
    "STATE_VALUE_TOO_LARGE",
    `Expected a value of at most ${maxStateValueBytes} bytes for ${JSON.stringify(key)}, got ${value.length}.`,
  );
}
