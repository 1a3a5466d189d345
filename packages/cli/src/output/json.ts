/**
 * A value as JSON for other programs. What JSON does not know becomes the nearest it has: dates ISO texts, big integers
 * texts, sets and maps lists, bytes base64, errors their name and message.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(toPlain(value), undefined, 2) ?? "null";
}

/** The same in one line. */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(toPlain(value)) ?? "null";
}

function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Error) {
    const { name, message, code, cause } = value as Error & { readonly code?: unknown };
    return toPlain({ name, message, code, cause });
  }
  if (Array.isArray(value) || value instanceof Set) return [...value].map(toPlain);
  if (value instanceof Map) return [...value].map(([key, item]) => [toPlain(key), toPlain(item)]);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]));
}
