// A list of byte strings as one argument or reply of a script, in MessagePack: Lua reads and writes it with `cmsgpack`.
// One large argument costs the driver and the server a fraction of what hundreds of small ones do.

/** Strings are latin1: each character is a byte. */
export function packList(items: readonly (string | Uint8Array)[]): Buffer {
  let size = 5;
  for (const { length } of items) size += headSize(length) + length;
  const packed = Buffer.allocUnsafe(size);
  packed[0] = 0xdd;
  packed.writeUInt32BE(items.length, 1);
  let at = 5;
  for (const item of items) {
    at = writeHead(packed, at, item.length);
    if (typeof item === "string") packed.write(item, at, "latin1");
    else packed.set(item, at);
    at += item.length;
  }
  return packed;
}

/** Reads a list, one item after the other. */
export class PackedListReader {
  readonly length: number;
  readonly #packed: Buffer;
  #at: number;

  constructor(packed: Buffer) {
    const head = packed[0] ?? 0;
    this.#packed = packed;
    this.length = head === 0xdd ? packed.readUInt32BE(1) : head === 0xdc ? packed.readUInt16BE(1) : head & 0x0f;
    this.#at = head === 0xdd ? 5 : head === 0xdc ? 3 : 1;
  }

  /** The next item, each byte a character. */
  text(): string {
    const start = this.#next();
    return this.#packed.toString("latin1", start, this.#at);
  }

  /** The next item, as a view. */
  bytes(): Buffer {
    const start = this.#next();
    return this.#packed.subarray(start, this.#at);
  }

  /** Moves behind the next item and answers where it starts. */
  #next(): number {
    const packed = this.#packed;
    const head = this.#at;
    const type = packed[head] as number;
    let start = head + 1;
    let length = type & 0x1f;
    if (type === 0xd9) {
      start = head + 2;
      length = packed[head + 1] as number;
    } else if (type === 0xda) {
      start = head + 3;
      length = packed.readUInt16BE(head + 1);
    } else if (type === 0xdb) {
      start = head + 5;
      length = packed.readUInt32BE(head + 1);
    }
    this.#at = start + length;
    return start;
  }
}

function headSize(length: number): number {
  return length < 0x20 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 5;
}

/** Writes the head of a string of `length` bytes at `at`, and answers where the string begins. */
function writeHead(packed: Buffer, at: number, length: number): number {
  if (length < 0x20) {
    packed[at] = 0xa0 | length;
    return at + 1;
  }
  if (length < 0x100) {
    packed[at] = 0xd9;
    packed[at + 1] = length;
    return at + 2;
  }
  if (length < 0x10000) {
    packed[at] = 0xda;
    packed.writeUInt16BE(length, at + 1);
    return at + 3;
  }
  packed[at] = 0xdb;
  packed.writeUInt32BE(length, at + 1);
  return at + 5;
}
