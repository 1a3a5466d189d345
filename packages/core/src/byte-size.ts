import { inspect } from "node:util";
import { OptionError } from "./errors.ts";

/** An amount of memory: bytes as a number, or a string such as `"512mb"` or `"1.5gb"`. Units: `kb`, `mb`, `gb`, each 1,024 of the one before. */
export type ByteSize = number | string;

const units: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_024 ** 2, gb: 1_024 ** 3 };

/**
 * Converts an amount of memory to whole bytes.
 *
 * @param name - what it is for; it opens the error message.
 * @throws OptionError `OPTION_INVALID`.
 */
export function parseByteSize(size: ByteSize, name = "size"): number {
  const [, amount, unit = ""] = (typeof size === "string" && /^(\d+(?:\.\d+)?)(b|kb|mb|gb)$/i.exec(size)) || [];
  const bytes = typeof size === "number" ? size : Number(amount) * (units[unit.toLowerCase()] ?? Number.NaN);
  if (Number.isFinite(bytes) && bytes >= 0) return Math.round(bytes);
  throw new OptionError(
    "OPTION_INVALID",
    `${name}: expected bytes or a string such as "512mb" or "2gb", got ${inspect(size, { depth: 0 })}.`,
  );
}
