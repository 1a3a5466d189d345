import { SerializationError, type Serializer, taggedValues } from "@taskferry/core";
import { Packr } from "msgpackr";
import { scanMessagePack } from "./scan.ts";

export interface MsgpackOptions {
  /** How deep objects, arrays, maps, sets and errors may be nested inside one another, from 1 to 500. Default 64. */
  readonly maxDepth?: number;
}

/**
 * MessagePack with the rich types of the JSON serializer: plain data is plain MessagePack, bytes are `bin`, and Date, Map,
 * Set, bigint, Error, `undefined`, NaN, the infinities and -0 carry the same tags as in JSON, so that a client in another
 * language reads both alike. No extension types are written or read.
 *
 * @throws OptionError `OPTION_INVALID` for a `maxDepth` out of range.
 */
export function msgpackSerializer(options: MsgpackOptions = {}): Serializer {
  const tagged = taggedValues("MessagePack", options.maxDepth);
  const packr = new Packr({ useRecords: false, int64AsType: "number", copyBuffers: true });
  // A Map counts as one level in the value, and as four in the bytes: the tag, its list, the list of pairs, the pair.
  const maxLevels = 4 * tagged.maxDepth;
  return {
    contentType: "application/vnd.msgpack",
    serialize: (value) => packr.pack(tagged.write(value)),
    deserialize: (bytes) => {
      scanMessagePack(bytes, maxLevels);
      return tagged.read(unpack(packr, bytes));
    },
  };
}

function unpack(packr: Packr, bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes) as unknown;
  } catch (cause) {
    const text = "Expected MessagePack that this serializer wrote, got bytes that cannot be decoded.";
    throw new SerializationError("NOT_DESERIALIZABLE", text, { path: "$", cause });
  }
}
