import type { BrokerEvent, Unsubscribe } from "@taskferry/core";

/** Those who hear the events of a broker. */
export class Listeners {
  readonly #listeners = new Set<(event: BrokerEvent) => void>();

  add(listener: (event: BrokerEvent) => void): Unsubscribe {
    const own = (event: BrokerEvent): void => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  tell(event: BrokerEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
