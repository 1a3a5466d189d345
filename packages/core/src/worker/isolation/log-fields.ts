import { recordError, reviveError } from "../../error-record.ts";
import type { ErrorRecord } from "../../outcome.ts";

const errorKey = "~error";

/** Fields of a log line as text. What JSON does not know becomes the nearest it has; errors are errors again afterwards. */
export function packFields(fields: object): string {
  const path: unknown[] = [];
  function replace(this: unknown, _: string, value: unknown): unknown {
    if (value instanceof Error) return { [errorKey]: recordError(value) };
    if (typeof value === "bigint") return `${value}`;
    if (typeof value !== "object" || value === null) return value;
    // The objects around this one, so that a cycle is cut and a value that merely occurs twice is not.
    while (path.length > 0 && path.at(-1) !== this) path.pop();
    if (path.includes(value)) return "(circular)";
    path.push(value);
    return value;
  }
  try {
    return JSON.stringify(fields, replace) ?? "{}";
  } catch (error) {
    return JSON.stringify({ unreadable: error instanceof Error ? error.message : String(error) });
  }
}

export function unpackFields(text: string): object {
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === "object" && value !== null && errorKey in value
      ? reviveError(value[errorKey] as ErrorRecord)
      : value,
  ) as object;
}
