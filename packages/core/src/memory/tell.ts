import type { BrokerEvent } from "../broker.ts";

/** A listener that throws harms nobody. */
export function tell(listeners: ReadonlySet<(event: BrokerEvent) => void>, event: BrokerEvent): void {
  for (const listener of listeners) {
    try {
      listener(event);
    } catch (error) {
      process.emitWarning(`A listener of the memory broker threw: ${String(error)}`);
    }
  }
}
