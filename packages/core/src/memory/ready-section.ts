import type { Entry } from "./entry.ts";
import { OrderedList } from "./ordered-list.ts";

/** Of eight takes, one at least goes to a lower band that waits. */
const highestSkips = 7;

/** What waits for a worker: a line for each band of priorities, and a rule by which none of them starves. */
export class ReadySection {
  readonly #lines = [0, 1, 2].map(() => new OrderedList<Entry>());
  readonly #skips = [0, 0, 0];

  get size(): number {
    return this.#lines.reduce((sum, line) => sum + line.size, 0);
  }

  append(entry: Entry): void {
    entry.section = "ready";
    this.#line(entry).append(entry.position, entry);
  }

  /** Puts back what was taken, to where it stood. */
  putBack(entries: readonly Entry[]): void {
    for (const entry of [...entries].sort((one, other) => other.position - one.position)) {
      entry.section = "ready";
      this.#line(entry).insert(entry.position, entry);
    }
  }

  take(): Entry | undefined {
    const band = this.#nextBand();
    if (band === undefined) return undefined;
    this.#skips.forEach((skips, other) => {
      this.#skips[other] = other < band && this.#lines[other]?.size !== 0 ? skips + 1 : other === band ? 0 : skips;
    });
    return this.#lines[band]?.shift();
  }

  find(position: number): Entry | undefined {
    return this.#lines.map((line) => line.find(position)).find((entry) => entry !== undefined);
  }

  remove(entry: Entry): void {
    this.#line(entry).remove(entry.position);
  }

  after(position: number, limit: number): Entry[] {
    const found = this.#lines.flatMap((line) => line.after(position, limit));
    return found.sort((one, other) => one.position - other.position).slice(0, limit);
  }

  clear(): Entry[] {
    return this.#lines.flatMap((line) => line.clear());
  }

  #line(entry: Entry): OrderedList<Entry> {
    return this.#lines[entry.band] as OrderedList<Entry>;
  }

  #nextBand(): number | undefined {
    const waits = (band: number): boolean => this.#lines[band]?.size !== 0;
    for (const band of [0, 1]) {
      if (waits(band) && (this.#skips[band] as number) >= highestSkips) return band;
    }
    return [2, 1, 0].find(waits);
  }
}
