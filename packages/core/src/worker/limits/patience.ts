import { monotonicNow } from "../../lifecycle.ts";

/** Milliseconds between two questions. */
export interface PatienceRange {
  readonly shortest: number;
  readonly longest: number;
}

/**
 * When it is worth asking again for what many workers want. Each asks for itself; who asks in vain asks less often, and
 * who gets something more often: about every second question has an answer then, however many workers there are.
 */
export class Patience {
  #pause = 0;
  /** On the monotonic clock. */
  #until = 0;

  isOver(now: number = monotonicNow()): boolean {
    return now >= this.#until;
  }

  /** To be told of an answer that gave less than was asked for. `atLatest`: when something comes free for sure. */
  wait(hadSome: boolean, { shortest, longest }: PatienceRange, atLatest = Number.POSITIVE_INFINITY): void {
    const wanted = hadSome ? this.#pause * 0.7 : this.#pause * 1.5;
    this.#pause = Math.min(longest, Math.max(shortest, wanted));
    this.waitFor(Math.min(this.#pause * (0.75 + Math.random() / 2), Math.max(2, atLatest - monotonicNow())));
  }

  waitFor(milliseconds: number): void {
    this.#until = monotonicNow() + milliseconds;
  }
}
