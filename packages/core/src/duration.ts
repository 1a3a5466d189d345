import { inspect } from "node:util";
import { OptionError } from "./errors.ts";

/**
 * A length of time: milliseconds as a number, or a string of numbers with units, largest first, such as
 * `"90s"`, `"1h30m"`, `"500ms"` or `"1.5s"`. Units: `ms`, `s`, `m`, `h`, `d`.
 */
export type Duration = number | string;

const units = [86_400_000, 3_600_000, 60_000, 1_000, 1];
const amount = String.raw`(\d+(?:\.\d+)?)`;
const pattern = new RegExp(`^(?:${amount}d)?(?:${amount}h)?(?:${amount}m)?(?:${amount}s)?(?:${amount}ms)?$`);
const longest = 100 * 365 * 86_400_000;

/**
 * Converts a duration to whole milliseconds.
 *
 * @param name - what the duration is for; it opens the error message.
 * @throws OptionError `DURATION_INVALID` when it is negative, not finite, longer than 100 years, or not in the grammar.
 */
export function parseDuration(duration: Duration, name = "duration"): number {
  const milliseconds = typeof duration === "number" ? duration : sumParts(duration);
  if (milliseconds >= 0 && milliseconds <= longest) return Math.round(milliseconds);
  throw new OptionError(
    "DURATION_INVALID",
    `${name}: expected milliseconds from 0 to 100 years or a string such as "90s" or "1h30m", got ${show(duration)}.`,
  );
}

function sumParts(text: unknown): number {
  const amounts = typeof text === "string" && text !== "" ? pattern.exec(text)?.slice(1) : undefined;
  if (amounts === undefined) return Number.NaN;
  return amounts.reduce((sum, part, index) => sum + Number(part ?? 0) * (units[index] as number), 0);
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : inspect(value, { depth: 0 });
}
