import { SerializationError } from "@taskferry/core";

/** The first whole number that JavaScript cannot tell from its neighbour. */
const exact = 2n ** 53n;

/**
 * Walks over MessagePack bytes without building anything, and refuses what must not reach the decoder: lengths that the
 * bytes do not have, too deep a nesting, extensions, keys that are no texts, integers that would lose digits, and bytes
 * that are left over. The decoder makes room for what lengths claim, and recurses.
 *
 * @throws SerializationError `NOT_DESERIALIZABLE`.
 */
export function scanMessagePack(bytes: Uint8Array, maxDepth: number): void {
  new Scan(bytes, maxDepth).run();
}

class Scan {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #maxDepth: number;
  /** What is still to come at each level: values of a list, or keys and values of a map. */
  readonly #open: { left: number; readonly isMap: boolean }[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#maxDepth = maxDepth;
  }

  run(): void {
    this.#value();
    for (let level = this.#open.at(-1); level !== undefined; level = this.#open.at(-1)) {
      if (level.left === 0) {
        this.#open.pop();
        continue;
      }
      const isKey = level.isMap && level.left % 2 === 0;
      level.left -= 1;
      if (isKey) this.#key();
      else this.#value();
    }
    if (this.#at !== this.#bytes.length) throw this.#refuse(`${this.#bytes.length - this.#at} bytes behind the value`);
  }

  #value(): void {
    const head = this.#byte();
    if (head <= 0x7f || head >= 0xe0) return;
    if (head <= 0x8f) return this.#enter(head & 0x0f, true);
    if (head <= 0x9f) return this.#enter(head & 0x0f, false);
    if (head <= 0xbf) return this.#skip(head & 0x1f);
    this.#longer(head);
  }

  #longer(head: number): void {
    switch (head) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return;
      case 0xc4:
      case 0xd9:
        return this.#skip(this.#byte());
      case 0xc5:
      case 0xda:
        return this.#skip(this.#length(2));
      case 0xc6:
      case 0xdb:
        return this.#skip(this.#length(4));
      case 0xcc:
      case 0xd0:
        return this.#skip(1);
      case 0xcd:
      case 0xd1:
        return this.#skip(2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#skip(4);
      case 0xcb:
        return this.#skip(8);
      case 0xcf:
      case 0xd3:
        return this.#large(head === 0xd3);
      case 0xdc:
      case 0xde:
        return this.#enter(this.#length(2), head === 0xde);
      case 0xdd:
      case 0xdf:
        return this.#enter(this.#length(4), head === 0xdf);
      default:
        throw this.#refuse(`the byte 0x${head.toString(16)}, an extension or nothing at all,`);
    }
  }

  #key(): void {
    const head = this.#byte();
    if (head >= 0xa0 && head <= 0xbf) return this.#skip(head & 0x1f);
    if (head === 0xd9) return this.#skip(this.#byte());
    if (head === 0xda) return this.#skip(this.#length(2));
    if (head === 0xdb) return this.#skip(this.#length(4));
    throw this.#refuse("a key that is no text");
  }

  #enter(count: number, isMap: boolean): void {
    const left = isMap ? 2 * count : count;
    if (left > this.#bytes.length - this.#at) throw this.#refuse(`a length of ${count} that the bytes do not have`);
    if (this.#open.length === this.#maxDepth) throw this.#refuse(`a value nested more than ${this.#maxDepth} deep`);
    this.#open.push({ left, isMap });
  }

  #large(isSigned: boolean): void {
    const at = this.#at;
    this.#skip(8);
    const value = isSigned ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at);
    if (value >= exact || value <= -exact) throw this.#refuse("an integer of more than 53 bits");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.#refuse("an end in the middle of the value");
    this.#at += 1;
    return byte;
  }

  #length(size: 2 | 4): number {
    const at = this.#at;
    this.#skip(size);
    return size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
  }

  #skip(count: number): void {
    if (count > this.#bytes.length - this.#at) throw this.#refuse(`a length of ${count} that the bytes do not have`);
    this.#at += count;
  }

  #refuse(found: string): SerializationError {
    const text = `Expected MessagePack that this serializer wrote, got ${found} at byte ${this.#at}.`;
    return new SerializationError("NOT_DESERIALIZABLE", text, { path: "$" });
  }
}
