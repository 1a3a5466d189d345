/** Removals after which a table is made anew at the earliest. */
const fewest = 512;

/*
 * V8 grows a table into a new one and has the old one point to it, for the sake of iterators. Once an old table has
 * reached the old generation, every table after it is kept alive by it, with all that was in each when it was left, until
 * a full collection: what lives for milliseconds is promoted then, all of it. A table that is copied by hand ends that
 * chain. See docs/decisions/0025-what-comes-and-goes.md for what it costs and saves.
 */

/** A map whose entries come and go by the thousand a second. What it iterates over may have been removed meanwhile. */
export class TurnoverMap<TKey, TValue> {
  #table = new Map<TKey, TValue>();
  #left = fewest;

  get size(): number {
    return this.#table.size;
  }

  get(key: TKey): TValue | undefined {
    return this.#table.get(key);
  }

  has(key: TKey): boolean {
    return this.#table.has(key);
  }

  set(key: TKey, value: TValue): void {
    this.#table.set(key, value);
  }

  delete(key: TKey): boolean {
    if (!this.#table.delete(key)) return false;
    this.#left -= 1;
    if (this.#left === 0) {
      this.#table = new Map(this.#table);
      this.#left = Math.max(fewest, this.#table.size);
    }
    return true;
  }

  clear(): void {
    this.#table = new Map();
    this.#left = fewest;
  }

  keys(): IterableIterator<TKey> {
    return this.#table.keys();
  }

  values(): IterableIterator<TValue> {
    return this.#table.values();
  }

  [Symbol.iterator](): IterableIterator<[TKey, TValue]> {
    return this.#table[Symbol.iterator]();
  }
}

/** A set whose members come and go by the thousand a second. What it iterates over may have been removed meanwhile. */
export class TurnoverSet<T> {
  #table = new Set<T>();
  #left = fewest;

  get size(): number {
    return this.#table.size;
  }

  has(member: T): boolean {
    return this.#table.has(member);
  }

  add(member: T): void {
    this.#table.add(member);
  }

  delete(member: T): boolean {
    if (!this.#table.delete(member)) return false;
    this.#left -= 1;
    if (this.#left === 0) {
      this.#table = new Set(this.#table);
      this.#left = Math.max(fewest, this.#table.size);
    }
    return true;
  }

  clear(): void {
    this.#table = new Set();
    this.#left = fewest;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#table[Symbol.iterator]();
  }
}
