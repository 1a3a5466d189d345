/** Fires once it has run for a while without being stopped. */
export class AgeTimer {
  readonly #limit: number;
  readonly #onOld: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(limit: number, onOld: () => void) {
    this.#limit = limit;
    this.#onOld = onOld;
  }

  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#onOld();
    }, this.#limit);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
