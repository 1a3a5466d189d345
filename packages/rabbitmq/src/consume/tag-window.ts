/** So many places of what is gone are left lying before the window is cut. */
const slack = 1_024;

/** What is open on a channel, by delivery tag: the server counts them up from 1, one by one. */
export class TagWindow<T> {
  #items: (T | undefined)[] = [];
  /** The tag of the first place. */
  #first = 1;
  /** Before this place nothing is open. */
  #head = 0;

  get(tag: number): T | undefined {
    return this.#items[tag - this.#first];
  }

  /** @param tag - higher than all before. */
  add(tag: number, item: T): void {
    while (this.#first + this.#items.length < tag) this.#items.push(undefined);
    this.#items.push(item);
    this.#advance();
  }

  delete(tag: number): void {
    const place = tag - this.#first;
    if (place < 0 || place >= this.#items.length) return;
    this.#items[place] = undefined;
    this.#advance();
    if (this.#head < slack || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#first += this.#head;
    this.#head = 0;
  }

  /** What has the lowest tag of all that are open. */
  get oldest(): T | undefined {
    return this.#items[this.#head];
  }

  clear(): void {
    this.#first += this.#items.length;
    this.#items = [];
    this.#head = 0;
  }

  #advance(): void {
    while (this.#head < this.#items.length && this.#items[this.#head] === undefined) this.#head += 1;
  }
}
