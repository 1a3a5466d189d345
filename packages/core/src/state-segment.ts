import { createHash } from "node:crypto";

/** Longer keys go into the state store as their hash. */
const longestKey = 100;

/** A key of the user's as a segment of a key in the state store. */
export function keySegment(key: string): string {
  return key.length <= longestKey ? `k:${key}` : hashSegment(key);
}

/** What is too long for a key, or no text, as such a segment. */
export function hashSegment(content: string | Uint8Array): string {
  return `h:${createHash("sha256").update(content).digest("base64url")}`;
}
