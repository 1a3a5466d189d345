/**
 * Turns inputs and results into bytes and back. The content type travels with the bytes, so a fleet may mix
 * serializers: a reader picks by content type among those it was configured with. `testSerializer` of
 * @taskferry/testing holds an implementation to the sentences below.
 */
export interface Serializer {
  /** A media type that names the format and nothing else, such as `"application/json"`. Unique among those configured. */
  readonly contentType: string;

  /**
   * The bytes of a value. The caller may keep and change the value afterwards; the bytes stay as they are.
   *
   * @throws SerializationError `NOT_SERIALIZABLE` with the path to the part that cannot be carried.
   */
  serialize(value: unknown): Uint8Array;

  /**
   * The value of bytes that `serialize` made. It treats bytes as hostile: it never runs code, never sets a prototype,
   * and bounds nesting.
   *
   * @throws SerializationError `NOT_DESERIALIZABLE`.
   */
  deserialize(bytes: Uint8Array): unknown;
}
