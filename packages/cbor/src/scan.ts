import { SerializationError } from "@taskferry/core";

/** The first whole number that JavaScript cannot tell from its neighbour. */
const exact = 2n ** 53n;
const text = 3;

/**
 * Walks over CBOR bytes without building anything, and refuses what must not reach the decoder: lengths that the bytes do
 * not have or leave open, too deep a nesting, CBOR tags, keys that are no texts, integers that would lose digits, and
 * bytes that are left over. The decoder makes room for what lengths claim, and recurses.
 *
 * @throws SerializationError `NOT_DESERIALIZABLE`.
 */
export function scanCbor(bytes: Uint8Array, maxDepth: number): void {
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
    this.#item(false);
    for (let level = this.#open.at(-1); level !== undefined; level = this.#open.at(-1)) {
      if (level.left === 0) {
        this.#open.pop();
        continue;
      }
      const isKey = level.isMap && level.left % 2 === 0;
      level.left -= 1;
      this.#item(isKey);
    }
    if (this.#at !== this.#bytes.length) throw this.#refuse(`${this.#bytes.length - this.#at} bytes behind the value`);
  }

  #item(isKey: boolean): void {
    const head = this.#bytes[this.#at];
    if (head === undefined) throw this.#refuse("an end in the middle of the value");
    this.#at += 1;
    const kind = head >> 5;
    if (isKey && kind !== text) throw this.#refuse("a key that is no text");
    if (kind === 7) this.#simple(head & 0x1f);
    else this.#sized(kind, this.#argument(head & 0x1f));
  }

  #sized(kind: number, argument: number): void {
    switch (kind) {
      case 0:
      case 1:
        return;
      case 2:
      case text:
        return this.#skip(argument);
      case 4:
        return this.#enter(argument, false);
      case 5:
        return this.#enter(argument, true);
      default:
        throw this.#refuse("a CBOR tag");
    }
  }

  #simple(info: number): void {
    if (info >= 20 && info <= 23) return;
    if (info < 25 || info > 27) throw this.#refuse("a simple value that has no meaning here");
    this.#skip(2 ** (info - 24));
  }

  /** The number in the head: a value, or a length. */
  #argument(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw this.#refuse("a length that is left open");
    const size = 2 ** (info - 24);
    const at = this.#at;
    this.#skip(size);
    if (size === 1) return this.#view.getUint8(at);
    if (size === 2) return this.#view.getUint16(at);
    if (size === 4) return this.#view.getUint32(at);
    const large = this.#view.getBigUint64(at);
    if (large >= exact) throw this.#refuse("an integer of more than 53 bits");
    return Number(large);
  }

  #enter(count: number, isMap: boolean): void {
    const left = isMap ? 2 * count : count;
    if (left > this.#bytes.length - this.#at) throw this.#refuse(`a length of ${count} that the bytes do not have`);
    if (this.#open.length === this.#maxDepth) throw this.#refuse(`a value nested more than ${this.#maxDepth} deep`);
    this.#open.push({ left, isMap });
  }

  #skip(count: number): void {
    if (count > this.#bytes.length - this.#at) throw this.#refuse(`a length of ${count} that the bytes do not have`);
    this.#at += count;
  }

  #refuse(found: string): SerializationError {
    const message = `Expected CBOR that this serializer wrote, got ${found} at byte ${this.#at}.`;
    return new SerializationError("NOT_DESERIALIZABLE", message, { path: "$" });
  }
}
