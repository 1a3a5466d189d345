/** How many are remembered, at least. */
const size = 10_000;

/** Remembers the ids of late, in two generations. */
export class RecentIds {
  #young = new Set<string>();
  #old = new Set<string>();

  add(id: string): void {
    this.#young.add(id);
    if (this.#young.size < size) return;
    this.#old = this.#young;
    this.#young = new Set();
  }

  has(id: string): boolean {
    return (this.#young.size > 0 && this.#young.has(id)) || (this.#old.size > 0 && this.#old.has(id));
  }
}
