import { monotonicNow } from "../lifecycle.ts";
import { Heap, type HeapItem } from "./heap.ts";

/** Milliseconds between two looks for what expired, where no call does it before. */
const sweepInterval = 30_000;

/** Drops items when their time is over: before each call, so that none sees them, and now and then to free memory. */
export class Expiries<T extends HeapItem> {
  readonly #heap = new Heap<T>();
  readonly #drop: (item: T) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(drop: (item: T) => void) {
    this.#drop = drop;
  }

  /** @param ttl - milliseconds from now; absent for what stays. */
  set(item: T, ttl: number | undefined): void {
    this.#heap.remove(item);
    if (ttl === undefined) return;
    item.due = monotonicNow() + ttl;
    this.#heap.add(item);
    this.#timer ??= setTimeout(() => this.#onTimer(), sweepInterval).unref();
  }

  remove(item: T): void {
    this.#heap.remove(item);
  }

  sweep(): void {
    if (this.#heap.size === 0) return;
    const now = monotonicNow();
    for (let item = this.#heap.first; item !== undefined && item.due <= now; item = this.#heap.first) {
      this.#heap.remove(item);
      this.#drop(item);
    }
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.sweep();
    if (this.#heap.size > 0) this.#timer = setTimeout(() => this.#onTimer(), sweepInterval).unref();
  }
}
