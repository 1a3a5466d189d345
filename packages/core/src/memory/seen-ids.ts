import type { Message } from "../message.ts";

/** Remembers publishes for a time at least, and for half of it longer at most. Forgets a whole generation at once. */
export class SeenIds {
  readonly #span: number;
  #generations: ReadonlyArray<Set<string>> = [new Set(), new Set(), new Set()];
  #begun = 0;

  /** @param window - milliseconds for which a publish is remembered. */
  constructor(window: number) {
    this.#span = window / 2;
  }

  has(message: Message, now: number): boolean {
    this.#turn(now);
    const name = nameOf(message);
    for (const generation of this.#generations) if (generation.size > 0 && generation.has(name)) return true;
    return false;
  }

  add(message: Message, now: number): void {
    if (this.#span === 0) return;
    this.#turn(now);
    this.#generations[0]?.add(nameOf(message));
  }

  /** Three generations, each of half a window at least: the oldest is a window old when it goes. */
  #turn(now: number): void {
    const age = now - this.#begun;
    if (age < this.#span) return;
    const kept = age < 3 * this.#span ? this.#generations.slice(0, 2) : [new Set<string>(), new Set<string>()];
    this.#generations = [new Set(), ...kept];
    this.#begun = now;
  }
}

/** There may be millions: the first publish of a task needs no string of its own. No id has a space in it. */
function nameOf({ id, run, hop }: Message): string {
  return run === 0 && hop === 0 ? id : `${id} ${run} ${hop}`;
}
