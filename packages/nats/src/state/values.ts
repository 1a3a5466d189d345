import { maxStateValueBytes, OptionError, type StateEntry, type StateKey } from "@taskferry/core";
import type { Found } from "../bucket/scan.ts";
import type { Stored } from "../stored.ts";

/** Milliseconds for which a value stands, from when the server stored it. */
export const ttlHeader = "Taskferry-Ttl";
/** What tools of NATS take for the mark of a deleted value. */
export const deleted = { "KV-Operation": "DEL" } as const;
export const operationHeader = "KV-Operation";

/** Epoch milliseconds by the server's clock; undefined for what stays. */
function expiryOf({ storedAt, header }: Pick<Found, "storedAt" | "header">): number | undefined {
  const ttl = header(ttlHeader);
  return ttl === "" ? undefined : storedAt + Number(ttl);
}

/** Whether something stands there, by the server's clock. */
export function isLive(stored: Pick<Found, "storedAt" | "header">, now: number): boolean {
  return stored.header(operationHeader) === "" && (expiryOf(stored) ?? Number.POSITIVE_INFINITY) > now;
}

export function toEntry(key: StateKey, stored: Stored | undefined, now: number): StateEntry | undefined {
  if (stored === undefined || !isLive(stored, now)) return undefined;
  const expiresAt = expiryOf(stored);
  const entry = { key, value: stored.bytes, revision: String(stored.sequence) };
  return expiresAt === undefined ? entry : { ...entry, expiresAt };
}

export function ttlOf(ttl: number | undefined): Readonly<Record<string, string>> {
  return ttl === undefined ? {} : { [ttlHeader]: String(Math.max(1, Math.ceil(ttl))) };
}

/** @throws OptionError `STATE_VALUE_TOO_LARGE`. */
export function checkSize(key: StateKey, value: Uint8Array, most = maxStateValueBytes): void {
  if (value.length <= most) return;
  throw new OptionError(
    "STATE_VALUE_TOO_LARGE",
    `Expected a value of at most ${most} bytes for ${JSON.stringify(key)}, got ${value.length}.`,
  );
}
