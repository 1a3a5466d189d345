import type { BrokerEvent, Unsubscribe } from "./broker.ts";

/** Those who hear the events of a broker. One that throws harms nobody. */
export class BrokerListeners {
  readonly #all = new Set<(event: BrokerEvent) => void>();

  /** The same listener twice is told twice. */
  add(listener: (event: BrokerEvent) => void): Unsubscribe {
    const own = (event: BrokerEvent): void => listener(event);
    this.#all.add(own);
    return () => void this.#all.delete(own);
  }

  tell(event: BrokerEvent): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  }
}
