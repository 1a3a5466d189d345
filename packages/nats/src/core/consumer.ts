import type { Msg, Subscription } from "@nats-io/transport-node";
import {
  ClosedError,
  type Consumer,
  type Delivery,
  readDelivery,
  type Settlement,
  type SettleResult,
  TurnoverSet,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { within } from "../within.ts";

/** What a receiver answers a publisher. */
export const answers = { received: "+OK", full: "-FULL" } as const;

export interface CoreConsumerParts {
  readonly connection: Connection;
  readonly subject: string;
  /** The group whose members compete; absent where everybody gets each message. */
  readonly group: string | undefined;
  readonly window: number;
  /** Told of a message for which there was no room. */
  readonly onDropped: () => void;
  readonly onClose: () => void;
}

/** Messages that wait beyond the window at most: a burst, not a queue. */
const backlog = 1_000;

/** Receives what is published while it listens. What it was given is gone from the server. */
export class CoreConsumer implements Consumer {
  readonly #parts: CoreConsumerParts;
  readonly #subscription: Subscription;
  readonly #held = new TurnoverSet<Delivery>();
  #waiting: Msg[] = [];
  #state: "open" | "stopped" | "closed" = "open";
  #wake: (() => void) | undefined;

  constructor(parts: CoreConsumerParts) {
    const { connection, subject, group } = parts;
    this.#parts = parts;
    this.#subscription = connection.driver.subscribe(subject, {
      ...(group !== undefined && { queue: group }),
      callback: (error, message) => {
        if (error === null) this.#receive(message);
      },
    });
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const onAbort = (): void => this.#hear();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      for (;;) {
        if (this.#state === "closed") throw new ClosedError("The consumer");
        const room = Math.min(max, this.#parts.window - this.#held.size);
        if (room <= 0 || signal.aborted || this.#state === "stopped") return [];
        if (this.#waiting.length > 0) return this.#waiting.splice(0, room).map((message) => this.#handOut(message));
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async extend(): Promise<readonly Delivery[]> {
    return [];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const results = settlements.map(({ delivery }): SettleResult => (this.#held.delete(delivery) ? "settled" : "lost"));
    this.#hear();
    return results;
  }

  async stop(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "stopped";
    this.#hear();
    const { connection } = this.#parts;
    if (connection.isConnected && !this.#subscription.isClosed())
      await within(this.#subscription.drain(), connection.timeout);
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe();
    this.#passOn();
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    await this.stop();
    this.#state = "closed";
    this.#held.clear();
    this.#hear();
    this.#parts.onClose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receive(message: Msg): void {
    if (this.#waiting.length < this.#parts.window + backlog) {
      this.#waiting.push(message);
      message.respond(answers.received);
      this.#hear();
      return;
    }
    this.#parts.onDropped();
    // Where everybody gets it, others may have room.
    message.respond(this.#parts.group === undefined ? answers.received : answers.full);
  }

  #handOut({ data }: Msg): Delivery {
    const delivery = readDelivery(data, { deliveryCount: undefined, leaseUntil: undefined, token: null });
    this.#held.add(delivery);
    return delivery;
  }

  /** Nobody has had them yet: the others of the group may. */
  #passOn(): void {
    const { connection, subject, group } = this.#parts;
    const rest = this.#waiting.splice(0);
    if (group === undefined || !connection.isConnected) return;
    for (const { data } of rest) connection.driver.publish(subject, data);
  }

  #hear(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
