import { OptionError, type StateKey } from "@taskferry/core";

const separator = "\u0000";

/**
 * A key as one string: segments joined by the lowest character there is, so that the order of names is the order of keys
 * segment by segment, and no two keys meet.
 *
 * @throws OptionError `OPTION_INVALID` for an empty key or segment.
 */
export function nameOf(key: StateKey): string {
  if (key.length === 0 || key.some((segment) => typeof segment !== "string" || segment === "")) {
    throw new OptionError(
      "OPTION_INVALID",
      `Expected a key of one or more segments that are not empty, got ${JSON.stringify(key)}.`,
    );
  }
  return key.map(escaped).join(separator);
}

export function keyOf(name: string): StateKey {
  return name
    .split(separator)
    .map((segment) => segment.replaceAll("\u0001\u0001", "\u0000").replaceAll("\u0001\u0002", "\u0001"));
}

/** The first name after all that begin with the segments of `name`. */
export function afterPrefix(name: string): string {
  return `${name}\u0001`;
}

function escaped(segment: string): string {
  return segment.replaceAll("\u0001", "\u0001\u0002").replaceAll("\u0000", "\u0001\u0001");
}
