import { deflateSync, inflateSync } from "node:zlib";
import { OptionError, SerializationError } from "../errors.ts";
import type { Serializer } from "../serializer.ts";

export interface CompressionOptions {
  /** Bytes above which a value is compressed. Default 1,024. */
  readonly above?: number;
  /** Bytes of a value at most, before it is compressed and after it is inflated. Default 16 MiB. */
  readonly maxBytes?: number;
  /** 1 is fastest, 9 is smallest. Default 1: it blocks the event loop least, and text becomes small with it already. */
  readonly level?: number;
}

const asItIs = 0;
const deflated = 1;
const suffix = "+zlib";
const largest = 2 ** 30;

/**
 * The format of another serializer, its bytes compressed where they are many. The content type is that of `inner` with
 * `+zlib` behind it. A reader inflates `maxBytes` at most, whatever the bytes claim, so that a small message cannot fill
 * its memory.
 *
 * Compressing and inflating happen in the event loop, about 10 ms for each MiB.
 *
 * @throws OptionError `OPTION_INVALID` for an option out of range.
 */
export function compressed(inner: Serializer, options: CompressionOptions = {}): Serializer {
  const above = checkRange("above", options.above ?? 1_024, [0, largest]);
  const maxBytes = checkRange("maxBytes", options.maxBytes ?? 16 * 1_024 * 1_024, [1, largest]);
  const level = checkRange("level", options.level ?? 1, [1, 9]);
  return {
    contentType: `${inner.contentType}${suffix}`,
    serialize: (value) => {
      const bytes = inner.serialize(value);
      if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes);
      if (bytes.length <= above) return frame(asItIs, bytes);
      const packed = deflateSync(bytes, { level });
      return packed.length < bytes.length ? frame(deflated, packed) : frame(asItIs, bytes);
    },
    deserialize: (bytes) => inner.deserialize(unpack(bytes, maxBytes)),
  };
}

function frame(kind: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(content.length + 1);
  bytes[0] = kind;
  bytes.set(content, 1);
  return bytes;
}

function unpack(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const content = bytes.subarray(1);
  switch (bytes[0]) {
    case asItIs:
      if (content.length > maxBytes) throw refuse(`${content.length} bytes, more than the ${maxBytes} of \`maxBytes\``);
      return content;
    case deflated:
      return inflate(content, maxBytes);
    default:
      throw refuse(bytes.length === 0 ? "no bytes" : `bytes that begin with ${bytes[0]}`);
  }
}

function inflate(content: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateSync(content, { maxOutputLength: maxBytes });
  } catch (cause) {
    const isBomb = (cause as { readonly code?: unknown }).code === "ERR_BUFFER_TOO_LARGE";
    throw refuse(
      isBomb ? `bytes that inflate to more than the ${maxBytes} of \`maxBytes\`` : "bytes that are not zlib's",
      cause,
    );
  }
}

function refuse(found: string, cause?: unknown): SerializationError {
  const text = `Expected what a compressed serializer wrote, got ${found}.`;
  return new SerializationError("NOT_DESERIALIZABLE", text, { path: "$", ...(cause !== undefined && { cause }) });
}

function tooLarge(bytes: number, limit: number): SerializationError {
  const text = `Expected a value of at most ${limit} bytes before it is compressed, got ${bytes}. Raise \`maxBytes\` of \`compressed\` on both sides, or send a reference to the data.`;
  return new SerializationError("NOT_SERIALIZABLE", text, { path: "$" });
}

function checkRange(name: string, value: number, [from, to]: readonly [number, number]): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw new OptionError(
    "OPTION_INVALID",
    `compressed, ${name}: expected a whole number from ${from} to ${to}, got ${String(value)}.`,
  );
}
