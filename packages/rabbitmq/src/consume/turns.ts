import type { Band } from "../topology/names.ts";

/** Takes from the highest band in a row, before it is a lower one's turn. */
const longestStreak = 7;

/** Whose turn it is: the highest band that waits, and one take in eight a lower one. */
export class Turns {
  #streak = 0;
  #lastLower: Band = 0;

  /** @param waiting - bands that wait, from the highest to the lowest; at least one. */
  next(waiting: readonly Band[]): Band {
    const top = waiting[0] ?? 1;
    if (waiting.length < 2 || this.#streak < longestStreak) return top;
    const lower = waiting.slice(1);
    return lower.find((band) => band !== this.#lastLower) ?? (lower[0] as Band);
  }

  /** To be told of each take, of how many it was. */
  took(band: Band, waiting: readonly Band[], count: number): void {
    if (band === waiting[0]) {
      this.#streak += count;
      return;
    }
    this.#streak = 0;
    this.#lastLower = band;
  }
}
