import { isUtf8 } from "node:buffer";
import { SerializationError } from "../errors.ts";
import type { Serializer } from "../serializer.ts";
import { canSkipReading, readTagged } from "./json-reader.ts";
import { isPlainData, type TagFormat, writeTagged } from "./json-writer.ts";
import { checkDepth } from "./tagged.ts";

export interface JsonSerializerOptions {
  /** How deep objects, arrays, maps, sets and errors may be nested inside one another, from 1 to 500. Default 64. */
  readonly maxDepth?: number;
}

const undefinedText = '{"$tf":["undefined"]}';

/**
 * JSON that carries more than JSON: Date, Map, Set, bigint, bytes, Error, `undefined`, NaN, the infinities and -0 arrive
 * as what they were. `docs/wire-format.md` describes the tags. It is the default serializer.
 *
 * - Bytes arrive as what they were, Uint8Array or Buffer, over memory of their own. Other typed arrays are refused.
 * - An Error arrives as Error, or as the built-in class of its name, with name, message, stack, code and cause.
 * - An object with `toJSON` is written as what that returns. An instance of any other class is written as its own
 *   enumerable properties and arrives as a plain object. Properties whose key is a symbol are left out.
 * - Functions, symbols, promises, cycles and what would arrive empty are refused with the path to them.
 *
 * @throws OptionError `OPTION_INVALID` for a `maxDepth` out of range.
 */
export function jsonSerializer(options: JsonSerializerOptions = {}): Serializer {
  const maxDepth = checkDepth(options.maxDepth);
  const format: TagFormat = { name: "JSON", maxDepth, isBinary: false };
  return {
    contentType: "application/json",
    serialize: (value) => {
      if (value === undefined) return Buffer.from(undefinedText);
      return Buffer.from(JSON.stringify(isPlainData(value, format) ? value : writeTagged(value, format)));
    },
    deserialize: (bytes) => {
      const text = decodeText(bytes);
      if (text === undefinedText) return undefined;
      const parsed = parse(text);
      return canSkipReading(text, parsed, maxDepth) ? parsed : readTagged(parsed, format);
    },
  };
}

function decodeText(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  // Decoding puts U+FFFD in the place of what is no UTF-8.
  if (text.includes("\uFFFD") && !isUtf8(bytes)) {
    throw new SerializationError("NOT_DESERIALIZABLE", "Expected JSON in UTF-8, got bytes that are not UTF-8.", {
      path: "$",
    });
  }
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = text === "" ? "no bytes" : `${text.length} characters that are not JSON`;
    throw new SerializationError("NOT_DESERIALIZABLE", `Expected JSON, got ${found}.`, { path: "$", cause });
  }
}
