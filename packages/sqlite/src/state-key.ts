const end = 0x00;
const escapedNul = 0xff;
const escapedSurrogate = 0xfe;
const nul = "\0";
// In a pattern with the flag u, a surrogate is one that stands alone: UTF-8 has no bytes for it.
const special = /\0|\p{Surrogate}/u;

/**
 * The bytes of a list of segments: each in UTF-8, ended by a zero byte. Bytes are ordered as segments are, no two lists
 * have the same, and the bytes of a list begin with those of every list that it begins with.
 */
export function encodeKey(segments: readonly string[]): Uint8Array {
  const parts = segments.flatMap((segment) => [encodeSegment(segment), Buffer.of(end)]);
  // A copy out of the pool of buffers, the whole of which would go along to another thread.
  return new Uint8Array(Buffer.concat(parts));
}

function encodeSegment(segment: string): Buffer {
  if (!special.test(segment)) return Buffer.from(segment);
  return Buffer.concat([...segment].map(encodeCharacter));
}

function encodeCharacter(character: string): Buffer {
  if (character === nul) return Buffer.of(end, escapedNul);
  if (!special.test(character)) return Buffer.from(character);
  const unit = character.charCodeAt(0);
  return Buffer.of(end, escapedSurrogate, unit >> 8, unit & 0xff);
}

/** Reads what {@link encodeKey} wrote. */
export function decodeKey(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments: string[] = [];
  let segment = "";
  let offset = 0;
  while (offset < buffer.length) {
    const stop = buffer.indexOf(end, offset);
    segment += buffer.toString("utf8", offset, stop);
    const mark = buffer[stop + 1];
    if (mark === escapedNul) {
      segment += nul;
      offset = stop + 2;
    } else if (mark === escapedSurrogate) {
      segment += String.fromCharCode(buffer.readUInt16BE(stop + 2));
      offset = stop + 4;
    } else {
      segments.push(segment);
      segment = "";
      offset = stop + 1;
    }
  }
  return segments;
}

/** The bytes between which all keys lie that begin with `prefix`. No segment begins with the byte of an escape. */
export function keyRange(prefix: readonly string[]): { readonly from: Uint8Array; readonly to: Uint8Array } {
  const from = encodeKey(prefix);
  return { from, to: Uint8Array.of(...from, escapedSurrogate) };
}

/** The bytes of a key as text that a map can look up. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
