import { OptionError } from "../errors.ts";
import { readTagged } from "./json-reader.ts";
import { isPlainData, type TagFormat, writeTagged } from "./json-writer.ts";

/**
 * The rich types of the JSON serializer for a format of bytes: what a value becomes before the format encodes it, and
 * the way back. The tags are those of `docs/wire-format.md`; bytes stay bytes, where JSON writes them as base64.
 */
export interface TaggedValues {
  /** How deep objects, arrays, maps, sets and errors may be nested inside one another. */
  readonly maxDepth: number;
  /**
   * `value` itself where it is plain (null, booleans, finite numbers but -0, well-formed texts, arrays, plain objects and
   * Uint8Array), else a copy in which everything else is tagged.
   *
   * @throws SerializationError `NOT_SERIALIZABLE` with the path to what cannot be carried.
   */
  write(value: unknown): unknown;
  /**
   * The value of what the format decoded: plain data, which it may change in place. Bytes are copied into memory of their
   * own. The depth and the sizes of what it decoded are for the format to bound, before it decodes.
   *
   * @throws SerializationError `NOT_DESERIALIZABLE`.
   */
  read(decoded: unknown): unknown;
}

/**
 * @param format - names it in refusals, such as `"MessagePack"`.
 * @param maxDepth - from 1 to 500. Default 64.
 * @throws OptionError `OPTION_INVALID` for a `maxDepth` out of range.
 */
export function taggedValues(format: string, maxDepth?: number): TaggedValues {
  const tags: TagFormat = { name: format, maxDepth: checkDepth(maxDepth), isBinary: true };
  return {
    maxDepth: tags.maxDepth,
    write: (value) => (isPlainData(value, tags) ? value : writeTagged(value, tags)),
    read: (decoded) => readTagged(decoded, tags),
  };
}

export function checkDepth(maxDepth = 64): number {
  if (Number.isInteger(maxDepth) && maxDepth >= 1 && maxDepth <= 500) return maxDepth;
  throw new OptionError("OPTION_INVALID", `maxDepth: expected a whole number from 1 to 500, got ${String(maxDepth)}.`);
}
