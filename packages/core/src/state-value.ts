/** A record as a value of a state store. */
export function encodeValue(record: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(record));
}

/** Whoever wrote the value says what it is: to be asked for under one's own keys alone. */
export function decodeValue<TRecord>(value: Uint8Array): TRecord {
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as TRecord;
}
