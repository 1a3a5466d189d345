import { type Band, bands } from "../topology/names.ts";
import type { Held, Intake } from "./intake.ts";
import type { Turns } from "./turns.ts";

/** A band from which something came so many milliseconds ago has more to give. */
const liveliness = 50;

/** All sets of bands; bit `b` of an index says whether band `b` is in it. */
const subsets: readonly (readonly Band[])[] = Array.from({ length: 8 }, (_, set) =>
  bands.filter((band) => (set & (1 << band)) !== 0),
);

/** Takes from what waits in the bands of an intake, as it is their turn. */
export class Picker {
  readonly #turns: Turns;
  /** For which arrival of a band a lower one has waited in vain. */
  readonly #givenUp: Partial<Record<Band, number>> = {};

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** Nothing, though a lower band waits, while a higher one is about to give more. */
  pick(intake: Intake, room: number): readonly Held[] {
    const picked: Held[] = [];
    // Nothing comes in meanwhile: what is lively stays so.
    const lively = this.#lively(intake);
    while (picked.length < room) {
      const waiting = setOf(intake);
      if (waiting === 0) break;
      const ranks = subsets[waiting | lively] as readonly Band[];
      const band = this.#turns.next(ranks);
      // Where there is one band alone, there are no turns.
      const taken = intake.take(band, ranks.length === 1 ? room - picked.length : 1);
      if (taken.length === 0) break;
      this.#turns.took(band, ranks, taken.length);
      picked.push(...taken);
    }
    return picked;
  }

  /** The bands from which the next is on its way, as a set. */
  #lively(intake: Intake): number {
    let set = 0;
    for (const band of bands) if (this.#isLively(intake, band)) set |= 1 << band;
    return set;
  }

  /** To be told that the lively bands gave nothing in time: the others need not wait for them. */
  waitedInVain(intake: Intake): void {
    for (const band of bands) if (!intake.hasWaiting(band)) this.#givenUp[band] = intake.lastArrival(band);
  }

  /** Whether the next of a band is on its way: the last one came a moment ago, and the server may send more. */
  #isLively(intake: Intake, band: Band): boolean {
    const last = intake.lastArrival(band);
    return performance.now() - last < liveliness && this.#givenUp[band] !== last && intake.creditOf(band).left > 0;
  }
}

/** The bands that wait, as a set. */
function setOf(intake: Intake): number {
  let set = 0;
  for (const band of bands) if (intake.hasWaiting(band)) set |= 1 << band;
  return set;
}
