import {
  ClosedError,
  type Consumer,
  type Delivery,
  dedupeId,
  readDelivery,
  type Settlement,
  type SettleResult,
  TurnoverSet,
} from "@taskferry/core";

export interface PubSubConsumerParts {
  readonly window: number;
  /** Messages that wait at most; beyond, the oldest is dropped. */
  readonly buffer: number;
  readonly onDropped: () => void;
  /** Ends the subscription. */
  readonly leave: () => Promise<void>;
  readonly onClose: () => void;
}

/** Messages that are remembered, so that one whose publisher got no reply and sent it again is delivered once. */
const remembered = 1_000;

/** Keeps what it hears until it is taken. */
export class PubSubConsumer implements Consumer {
  readonly #parts: PubSubConsumerParts;
  readonly #buffer: Delivery[] = [];
  readonly #held = new TurnoverSet<Delivery>();
  readonly #seen = new Set<string>();
  #state: "open" | "stopped" | "closed" = "open";
  #wake: () => void = () => undefined;

  constructor(parts: PubSubConsumerParts) {
    this.#parts = parts;
  }

  /** To be told of each message. */
  hear(frame: Buffer): void {
    if (this.#state !== "open") return;
    const delivery = readDelivery(frame, { token: undefined, deliveryCount: undefined, leaseUntil: undefined });
    if (delivery.message !== undefined && !this.#isNew(dedupeId(delivery.message))) return;
    if (this.#buffer.length >= this.#parts.buffer) {
      this.#buffer.shift();
      this.#parts.onDropped();
    }
    this.#buffer.push(delivery);
    this.#wake();
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const wanted = Math.min(max, this.#parts.window - this.#held.size);
    if (wanted > 0 && this.#buffer.length === 0 && !signal.aborted && this.#state === "open") {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    if (this.#state === "closed") throw new ClosedError("The consumer");
    if (signal.aborted || wanted <= 0) return [];
    const taken = this.#buffer.splice(0, wanted);
    for (const delivery of taken) this.#held.add(delivery);
    return taken;
  }

  async extend(): Promise<readonly Delivery[]> {
    return [];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return settlements.map(({ delivery }) => (this.#held.delete(delivery) ? "settled" : "lost"));
  }

  async stop(): Promise<void> {
    if (this.#state !== "open") return;
    this.#end("stopped");
    await this.#parts.leave();
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    this.#end("closed");
    this.#held.clear();
    this.#parts.onClose();
    if (wasOpen) await this.#parts.leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** There is nobody to hand back to what nobody has taken. */
  #end(state: "stopped" | "closed"): void {
    this.#state = state;
    this.#buffer.length = 0;
    this.#wake();
  }

  #isNew(key: string): boolean {
    if (this.#seen.has(key)) return false;
    if (this.#seen.size === remembered) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.add(key);
    return true;
  }
}
