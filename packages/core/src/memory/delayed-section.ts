import type { Entry } from "./entry.ts";
import { Heap } from "./heap.ts";
import { OrderedList } from "./ordered-list.ts";

/** What may not be taken yet: by what is due first, and for lists by what came first. */
export class DelayedSection {
  readonly #heap = new Heap<Entry>();
  readonly #list = new OrderedList<Entry>();

  get size(): number {
    return this.#list.size;
  }

  /** When the first one is due, on the monotonic clock. */
  get nextDue(): number {
    return this.#heap.first?.due ?? Number.POSITIVE_INFINITY;
  }

  append(entry: Entry, due: number): void {
    entry.section = "delayed";
    entry.due = due;
    this.#heap.add(entry);
    this.#list.append(entry.position, entry);
  }

  /** Removes what is due, in the order in which it is; what is due at once, in the order in which it came. */
  takeDue(now: number): Entry[] {
    const due: Entry[] = [];
    for (let entry = this.#heap.first; entry !== undefined && entry.due <= now; entry = this.#heap.first) {
      this.remove(entry);
      due.push(entry);
    }
    return due.sort((one, other) => one.due - other.due || one.position - other.position);
  }

  find(position: number): Entry | undefined {
    return this.#list.find(position);
  }

  remove(entry: Entry): void {
    this.#heap.remove(entry);
    this.#list.remove(entry.position);
  }

  after(position: number, limit: number): Entry[] {
    return this.#list.after(position, limit);
  }

  clear(): Entry[] {
    const entries = this.#list.clear();
    for (const entry of entries) this.#heap.remove(entry);
    return entries;
  }
}
