import {
  ClosedError,
  type Consumer,
  type Delivery,
  readDelivery,
  type Settlement,
  type SettleResult,
  TurnoverSet,
} from "@taskferry/core";
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { Wakeable } from "../consume/wakeable.ts";
import { onError } from "../driver.ts";
import { isFinal, toBrokerError } from "../faults.ts";
import type { Link } from "../link.ts";

export interface FanoutConsumerParts {
  readonly queue: string;
  readonly window: number;
  readonly link: Link;
  readonly exchange: string;
  readonly declareExchange: (model: ChannelModel) => Promise<void>;
  readonly onGap: (reason: string) => void;
  readonly onClose: () => void;
}

const pause = 500;

/** Receives what is published while it listens. What it has taken is gone; what does not fit waits in its queue. */
export class FanoutConsumer implements Consumer {
  readonly #parts: FanoutConsumerParts;
  readonly #wakeable = new Wakeable();
  readonly #held = new TurnoverSet<Delivery>();
  #buffer: ConsumeMessage[] = [];
  #channel: Channel | undefined;
  #model: ChannelModel | undefined;
  #opening: Promise<void> | undefined;
  #state: "open" | "stopped" | "closed" = "open";
  #failure: Error | undefined;

  constructor(parts: FanoutConsumerParts) {
    this.#parts = parts;
  }

  async open(model: ChannelModel): Promise<void> {
    this.#model = model;
    const { link, window } = this.#parts;
    try {
      await this.#parts.declareExchange(model);
      const channel = await link.answer(model.createChannel(), "the opening of a channel");
      onError(channel, () => undefined);
      channel.once("close", () => this.#onLost(channel));
      await link.answer(this.#listen(channel, window), "a subscription");
      this.#channel = channel;
    } catch (error) {
      throw toBrokerError(error, link.dialling.address);
    }
    if (this.#state !== "open") await this.#leave();
  }

  resume(model: ChannelModel): void {
    this.#model = model;
    if (this.#state === "open") this.#reopen();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wakeable.wake();
  }

  async take(max: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    for (;;) {
      if (this.#state === "closed") throw new ClosedError("The consumer");
      if (this.#failure !== undefined) throw this.#failure;
      const room = Math.min(max, this.#parts.window - this.#held.size);
      if (this.#state === "stopped" || signal.aborted || room <= 0) return [];
      const taken = this.#buffer.splice(0, room);
      if (taken.length > 0) return taken.map((raw) => this.#hand(raw));
      await this.#wakeable.wait(signal);
    }
  }

  async extend(): Promise<readonly Delivery[]> {
    return [];
  }

  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    return settlements.map(({ delivery }) => (this.#held.delete(delivery) ? "settled" : "lost"));
  }

  async stop(): Promise<void> {
    if (this.#state === "open") this.#state = "stopped";
    this.#wakeable.wake();
    await this.#leave();
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#wakeable.wake();
    this.#parts.onClose();
    await this.#leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #listen(channel: Channel, window: number): Promise<void> {
    const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true, durable: false });
    await channel.bindQueue(queue, this.#parts.exchange, this.#parts.queue);
    await channel.prefetch(window);
    await channel.consume(queue, (raw) => {
      if (raw === null) return void channel.close().catch(() => undefined);
      this.#buffer.push(raw);
      this.#wakeable.wake();
    });
  }

  /** At most once: it is gone when it is taken. */
  #hand(raw: ConsumeMessage): Delivery {
    this.#channel?.ack(raw);
    const delivery = readDelivery(raw.content, { deliveryCount: undefined, leaseUntil: undefined, token: null });
    this.#held.add(delivery);
    return delivery;
  }

  /** What was fetched and not taken goes with the channel. */
  async #leave(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#buffer = [];
    if (channel !== undefined)
      await this.#parts.link.answer(channel.close(), "the end of a channel").catch(() => undefined);
  }

  #onLost(channel: Channel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#buffer = [];
    if (this.#state !== "open") return;
    this.#parts.onGap(
      `The connection of a consumer of ${this.#parts.queue} was lost: what was sent meanwhile is gone.`,
    );
    this.#reopen();
  }

  #reopen(): void {
    this.#opening ??= this.#persist().finally(() => {
      this.#opening = undefined;
    });
  }

  async #persist(): Promise<void> {
    while (this.#state === "open" && this.#parts.link.isUp) {
      try {
        await this.open(this.#model as ChannelModel);
        return;
      } catch (error) {
        if (isFinal(error)) return this.fail(error as Error);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
