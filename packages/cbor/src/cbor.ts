import { SerializationError, type Serializer, taggedValues } from "@taskferry/core";
import { Encoder } from "cbor-x";
import { scanCbor } from "./scan.ts";

export interface CborOptions {
  /** How deep objects, arrays, maps, sets and errors may be nested inside one another, from 1 to 500. Default 64. */
  readonly maxDepth?: number;
}

/** `int64AsNumber` is an option of its decoder that its types do not list. */
const settings: ConstructorParameters<typeof Encoder>[0] & { readonly int64AsNumber: true } = {
  useRecords: false,
  mapsAsObjects: true,
  variableMapSize: true,
  tagUint8Array: false,
  int64AsNumber: true,
  copyBuffers: true,
};

/**
 * CBOR with the rich types of the JSON serializer: plain data is plain CBOR, bytes are byte strings, and Date, Map,
 * Set, bigint, Error, `undefined`, NaN, the infinities and -0 carry the same tags as in JSON, so that a client in another
 * language reads both alike. No CBOR tags are written or read.
 *
 * @throws OptionError `OPTION_INVALID` for a `maxDepth` out of range.
 */
export function cborSerializer(options: CborOptions = {}): Serializer {
  const tagged = taggedValues("CBOR", options.maxDepth);
  const encoder = new Encoder(settings);
  // A Map counts as one level in the value, and as four in the bytes: the tag, its list, the list of pairs, the pair.
  const maxLevels = 4 * tagged.maxDepth;
  return {
    contentType: "application/cbor",
    serialize: (value) => encoder.encode(tagged.write(value)),
    deserialize: (bytes) => {
      scanCbor(bytes, maxLevels);
      return tagged.read(decode(encoder, bytes));
    },
  };
}

function decode(encoder: Encoder, bytes: Uint8Array): unknown {
  try {
    return encoder.decode(bytes) as unknown;
  } catch (cause) {
    const text = "Expected CBOR that this serializer wrote, got bytes that cannot be decoded.";
    throw new SerializationError("NOT_DESERIALIZABLE", text, { path: "$", cause });
  }
}
