/** So much garbage is left lying before the arrays are rebuilt. */
const slack = 512;

/**
 * Items in ascending order of their positions. Appending and taking the first cost the same at any length, finding and
 * removing take a binary search: nothing moves until half of it is garbage.
 */
export class OrderedList<T> {
  #positions: number[] = [];
  #items: (T | undefined)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @param position - higher than all that are in the list. */
  append(position: number, item: T): void {
    this.#positions.push(position);
    this.#items.push(item);
    this.#size += 1;
  }

  /** Inserts at any position; cheap near the front. Several go in from the highest to the lowest. */
  insert(position: number, item: T): void {
    if (this.#head === 0) this.#makeRoomInFront();
    const index = this.#lowerBound(position);
    for (let at = this.#head; at < index; at += 1) {
      this.#positions[at - 1] = this.#positions[at] as number;
      this.#items[at - 1] = this.#items[at];
    }
    this.#head -= 1;
    this.#positions[index - 1] = position;
    this.#items[index - 1] = item;
    this.#size += 1;
  }

  shift(): T | undefined {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head];
      this.#items[this.#head] = undefined;
      this.#head += 1;
      if (item === undefined) continue;
      this.#size -= 1;
      this.#compact();
      return item;
    }
    this.#compact();
    return undefined;
  }

  find(position: number): T | undefined {
    const index = this.#lowerBound(position);
    return this.#positions[index] === position ? this.#items[index] : undefined;
  }

  remove(position: number): T | undefined {
    const index = this.#lowerBound(position);
    const item = this.#positions[index] === position ? this.#items[index] : undefined;
    if (item === undefined) return undefined;
    this.#items[index] = undefined;
    this.#size -= 1;
    this.#compact();
    return item;
  }

  /** The first items after a position. */
  after(position: number, limit: number): T[] {
    const found: T[] = [];
    for (let index = this.#lowerBound(position + 1); index < this.#items.length && found.length < limit; index += 1) {
      const item = this.#items[index];
      if (item !== undefined) found.push(item);
    }
    return found;
  }

  /** The last items before a position, the last one first. */
  before(position: number, limit: number): T[] {
    const found: T[] = [];
    for (let index = this.#lowerBound(position) - 1; index >= this.#head && found.length < limit; index -= 1) {
      const item = this.#items[index];
      if (item !== undefined) found.push(item);
    }
    return found;
  }

  /** Empties the list and answers what was in it. */
  clear(): T[] {
    const items = this.after(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    this.#positions = [];
    this.#items = [];
    this.#head = 0;
    this.#size = 0;
    return items;
  }

  /** The index of the first position that is not lower. */
  #lowerBound(position: number): number {
    let low = this.#head;
    let high = this.#positions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#positions[middle] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compact(): void {
    const garbage = this.#items.length - this.#size;
    if (garbage <= slack || garbage < this.#size) return;
    const positions: number[] = [];
    const items: T[] = [];
    for (let index = this.#head; index < this.#items.length; index += 1) {
      const item = this.#items[index];
      if (item === undefined) continue;
      positions.push(this.#positions[index] as number);
      items.push(item);
    }
    this.#positions = positions;
    this.#items = items;
    this.#head = 0;
  }

  #makeRoomInFront(): void {
    const room = Math.max(slack / 2, this.#size >>> 2);
    this.#positions = [...new Array<number>(room).fill(0), ...this.#positions];
    this.#items = [...new Array<T | undefined>(room).fill(undefined), ...this.#items];
    this.#head = room;
  }
}
