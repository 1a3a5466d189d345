import { Waiters, type WaitOptions } from "../../waiters.ts";

/** Counts the executions that all workers of a test have told of. */
export class Executions {
  readonly #waiters = new Waiters<number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(): void {
    this.#count += 1;
    this.#waiters.announce(this.#count);
  }

  /** Resolves once there are so many. */
  async reach(count: number, options: WaitOptions): Promise<void> {
    if (this.#count >= count) return;
    await this.#waiters.wait(`${count} executions, of which there were ${this.#count}`, (n) => n >= count, options);
  }
}
