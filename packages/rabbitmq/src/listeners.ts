import { BrokerListeners } from "@taskferry/core";

/** Milliseconds for the other connection to break too, so that an outage is told once and as a whole. */
const gathering = 10;

/** Tells of what happens to the connections of a broker. */
export class Listeners extends BrokerListeners {
  #isConnected = false;
  #telling: { readonly timer: NodeJS.Timeout; readonly error: Error | undefined } | undefined;

  connected(): void {
    // However short, an outage has cost deliveries.
    if (this.#telling !== undefined) this.closed(this.#telling.error);
    if (this.#isConnected) return;
    this.#isConnected = true;
    this.tell({ type: "connected" });
  }

  /** Told a moment later. */
  disconnected(error: Error | undefined): void {
    if (!this.#isConnected) return;
    this.#telling ??= { timer: setTimeout(() => this.closed(error), gathering), error };
  }

  closed(error?: Error): void {
    clearTimeout(this.#telling?.timer);
    this.#telling = undefined;
    if (!this.#isConnected) return;
    this.#isConnected = false;
    this.tell({ type: "disconnected", error });
  }
}
