import { ConfigurationError, MessageError } from "./errors.ts";
import type { Serializer } from "./serializer.ts";
import { jsonSerializer } from "./serializers/json.ts";

/** The serializers of one client or worker: one writes, all are read, picked by content type. JSON is always read. */
export interface SerializerSet {
  readonly contentType: string;
  serialize(value: unknown): Uint8Array;
  /** @throws MessageError `CONTENT_TYPE_UNKNOWN`; SerializationError `NOT_DESERIALIZABLE`. */
  deserialize(contentType: string, bytes: Uint8Array): unknown;
}

/** @throws ConfigurationError `CONFIGURATION_INVALID` when two have one content type. */
export function createSerializerSet(
  writer: Serializer = jsonSerializer(),
  readers: readonly Serializer[] = [],
): SerializerSet {
  const byContentType = new Map<string, Serializer>();
  for (const serializer of new Set([writer, ...readers])) {
    if (byContentType.has(serializer.contentType)) {
      throw new ConfigurationError(
        "CONFIGURATION_INVALID",
        `serializers: expected one for each content type, got two for "${serializer.contentType}".`,
      );
    }
    byContentType.set(serializer.contentType, serializer);
  }
  const json = jsonSerializer();
  if (!byContentType.has(json.contentType)) byContentType.set(json.contentType, json);
  return {
    contentType: writer.contentType,
    serialize: (value) => writer.serialize(value),
    deserialize: (contentType, bytes) => {
      const serializer = byContentType.get(contentType);
      if (serializer !== undefined) return serializer.deserialize(bytes);
      throw new MessageError(
        "CONTENT_TYPE_UNKNOWN",
        `Expected one of the content types ${[...byContentType.keys()].join(", ")}, got ${JSON.stringify(contentType)}. Add its serializer to \`serializers\` of the configuration.`,
      );
    },
  };
}
