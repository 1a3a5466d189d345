import type { Consumer, Delivery, Settlement, SettleResult } from "../broker.ts";
import { ClosedError } from "../errors.ts";
import type { Message } from "../message.ts";
import { TurnoverSet } from "../turnover.ts";

interface ConsumerEvents {
  /** A message was dropped. */
  readonly onGap: (reason: string) => void;
  readonly onEnd: () => void;
}

/** One listener of a queue. What does not fit into its window is dropped, and told of. */
export class FanoutConsumer implements Consumer {
  readonly queue: string;
  readonly #window: number;
  readonly #events: ConsumerEvents;
  readonly #held = new TurnoverSet<Delivery>();
  #buffer: Message[] = [];
  #state: "open" | "stopped" | "closed" = "open";
  #wake: () => void = () => undefined;

  constructor(queue: string, window: number, events: ConsumerEvents) {
    this.queue = queue;
    this.#window = window;
    this.#events = events;
  }

  receive(message: Message): void {
    if (this.#buffer.length + this.#held.size < this.#window) this.#buffer.push({ ...message });
    else this.#events.onGap(`a worker that holds ${this.#window} messages of ${this.queue} missed one`);
    this.#wake();
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    if (!this.#hasNews(signal)) await this.#news(signal);
    if (this.#state === "closed") throw new ClosedError("The consumer");
    if (this.#state === "stopped" || signal.aborted) return [];
    const room = Math.min(max, this.#window - this.#held.size);
    const taken = this.#buffer
      .splice(0, room)
      .map((message): Delivery => ({ message, deliveryCount: undefined, leaseUntil: undefined, token: undefined }));
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
    this.#end("stopped");
  }

  async close(): Promise<void> {
    this.#end("closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #hasNews(signal: AbortSignal): boolean {
    return this.#buffer.length > 0 || signal.aborted || this.#state !== "open" || this.#held.size >= this.#window;
  }

  async #news(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = () => resolve();
      signal.addEventListener("abort", this.#wake, { once: true });
    });
    signal.removeEventListener("abort", this.#wake);
  }

  #end(state: "stopped" | "closed"): void {
    if (this.#state !== "closed") this.#state = state;
    this.#buffer = [];
    this.#events.onEnd();
    this.#wake();
  }
}
