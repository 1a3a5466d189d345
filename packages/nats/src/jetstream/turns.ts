import type { Band } from "./layout.ts";

/** Of so many takes one begins at the middle band, and one at the lowest. */
const round = 8;
const middleFirst = 3;
const lowestFirst = 7;

/** How many to ask of which band first, and where to go on when it has none. */
export interface Turn {
  readonly count: number;
  readonly order: readonly Band[];
}

/** Whose turn it is: the highest band six times in eight, so that none below it starves. */
export class BandTurns {
  #place = 0;

  /** The turns of the next `count` messages. */
  plan(count: number): readonly Turn[] {
    const of = (place: number): number => {
      const whole = Math.floor(count / round);
      const distance = (place - this.#place + round) % round;
      return whole + (distance < count % round ? 1 : 0);
    };
    const [middle, lowest] = [of(middleFirst), of(lowestFirst)];
    const turns: readonly Turn[] = [
      { count: middle, order: [1, 0, 2] },
      { count: lowest, order: [0, 1, 2] },
      { count: count - middle - lowest, order: [2, 1, 0] },
    ];
    return turns.filter((turn) => turn.count > 0);
  }

  /** To be told how many messages came of it. */
  advance(count: number): void {
    this.#place = (this.#place + count) % round;
  }
}
