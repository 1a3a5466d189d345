import type { Unsubscribe } from "@taskferry/core";

/** Those who want to be told. One that throws harms nothing. */
export class Listeners<TEvent> {
  readonly #all = new Set<(event: TEvent) => void>();

  add(listener: (event: TEvent) => void): Unsubscribe {
    const own = (event: TEvent): void => listener(event);
    this.#all.add(own);
    return () => void this.#all.delete(own);
  }

  tell(event: TEvent): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
