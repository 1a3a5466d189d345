/** What may have ended the process that ran it. */
export interface Suspect {
  crashes: number;
}

/** Milliseconds for which a suspect has a process for itself: what ends a process mostly does so soon. */
const solitude = 3_000;

/** Lets those that were there when processes ended run one after the other, each with nothing new beside it at first. */
export class SuspectLine<TSuspect extends Suspect> {
  readonly #onOver: () => void;
  readonly #line: TSuspect[] = [];
  #alone: TSuspect | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param onOver - called when others may start again. */
  constructor(onOver: () => void) {
    this.#onOver = onOver;
  }

  /** Whether one runs that must have no company. */
  get isAlone(): boolean {
    return this.#alone !== undefined;
  }

  /** Whether none runs alone and none is to. */
  get isEmpty(): boolean {
    return this.#alone === undefined && this.#line.length === 0;
  }

  isTheOne(suspect: TSuspect): boolean {
    return this.#alone === suspect;
  }

  add(suspect: TSuspect): void {
    if (this.#alone === suspect) this.#release();
    this.#line.push(suspect);
  }

  next(): TSuspect | undefined {
    this.#alone = this.#line.shift();
    if (this.#alone !== undefined) this.#timer = setTimeout(() => this.#release(), solitude);
    return this.#alone;
  }

  remove(suspect: TSuspect): void {
    if (this.isEmpty) return;
    const index = this.#line.indexOf(suspect);
    if (index !== -1) this.#line.splice(index, 1);
    if (this.#alone === suspect) this.#release();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #release(): void {
    clearTimeout(this.#timer);
    this.#alone = undefined;
    this.#onOver();
  }
}
