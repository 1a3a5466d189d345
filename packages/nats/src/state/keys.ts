import { OptionError, type StateKey } from "@taskferry/core";

/** Entries, counters and sets, and what the stores tell each other. */
export type Space = "e" | "c" | "s" | "m";

/** Characters of a key in a subject: a server takes lines of 4 KiB. */
const longest = 3_000;

/**
 * A key as a subject: a token for each segment, whatever is no letter, digit, `_` or `-` as the hexadecimal of its bytes.
 *
 * @throws OptionError `OPTION_INVALID` for an empty key or segment, and one that is too long.
 */
export function subjectKey(space: Space, key: StateKey): string {
  checkSegments(key);
  const subject = [space, ...key.map(escaped)].join(".");
  if (key.length > 0 && subject.length <= longest) return subject;
  throw new OptionError(
    "OPTION_INVALID",
    `Expected a key of one or more segments, ${longest} characters at most once escaped, got ${JSON.stringify(key).slice(0, 200)}.`,
  );
}

/** What all keys begin with that have this prefix and more. */
export function subjectPrefix(space: Space, prefix: StateKey): string {
  checkSegments(prefix);
  return `${[space, ...prefix.map(escaped)].join(".")}.`;
}

export function keyOf(subject: string): StateKey {
  return subject
    .split(".")
    .slice(1)
    .map((token) =>
      Buffer.from(
        token.replaceAll(/=(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        "latin1",
      ).toString(),
    );
}

/** Orders keys segment by segment. */
export function compareKeys(a: StateKey, b: StateKey): number {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const order = Buffer.compare(Buffer.from(a[index] as string), Buffer.from(b[index] as string));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function checkSegments(key: StateKey): void {
  if (key.every((segment) => typeof segment === "string" && segment !== "")) return;
  throw new OptionError(
    "OPTION_INVALID",
    `Expected a key of segments that are not empty, got ${JSON.stringify(key).slice(0, 200)}.`,
  );
}

function escaped(segment: string): string {
  return Buffer.from(segment)
    .toString("latin1")
    .replaceAll(/[^A-Za-z0-9_-]/g, (char) => `=${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
