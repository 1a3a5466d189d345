import { monotonicNow } from "@taskferry/core";
import type { ChannelModel, ConfirmChannel, Message } from "amqplib";
import { onError } from "./driver.ts";
import type { Link } from "./link.ts";
import type { Fate, Parcel } from "./parcels.ts";

/** Parcels under way at once: as many as keep the server busy. */
const window = 1_000;

/** Sends parcels over one channel with confirms, and tells what became of each. */
export class PostOffice {
  readonly #link: Link;
  #channel: ConfirmChannel | undefined;
  #inFlight = 0;
  #isFull = false;
  #answers = 0;
  /** What came back since no queue took it, until its confirm comes: how often, by where it went and which it is. */
  readonly #returned = new Map<string, number>();
  #waiters = new Set<() => void>();
  #watch: NodeJS.Timeout | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  /** To be told of each new connection. */
  async open(model: ChannelModel): Promise<void> {
    const channel = await model.createConfirmChannel();
    onError(channel, () => undefined);
    channel.on("return", (message) => this.#onReturn(message));
    channel.on("drain", () => {
      this.#isFull = false;
      this.#wake();
    });
    channel.once("close", () => this.#onClose(channel, model));
    this.#inFlight = 0;
    this.#isFull = false;
    this.#returned.clear();
    this.#channel = channel;
    this.#wake();
  }

  /** To be told that the server takes parcels again, or that the link is closed. */
  wake(): void {
    this.#wake();
  }

  /** Sends all, in order. What the server has not answered by `deadline` is unknown, what could not be sent unsent. */
  async send(parcels: readonly Parcel[], deadline: number): Promise<readonly Fate[]> {
    const fates: Fate[] = parcels.map(() => "unsent");
    let open = 0;
    let onAnswered: () => void = () => undefined;
    const answer = (index: number, fate: Fate): void => {
      fates[index] = fate;
      open -= 1;
      if (open === 0) onAnswered();
    };
    for (let next = 0; next < parcels.length; ) {
      const channel = await this.#writable(deadline);
      if (channel === undefined) break;
      while (next < parcels.length && this.#inFlight < window && !this.#isFull && this.#channel === channel) {
        fates[next] = "unknown";
        open += 1;
        this.#write(channel, parcels[next] as Parcel, answer.bind(undefined, next));
        next += 1;
      }
    }
    if (open > 0) {
      await untilDone((done) => {
        onAnswered = done;
      }, deadline);
    }
    return [...fates];
  }

  #write(channel: ConfirmChannel, parcel: Parcel, answer: (fate: Fate) => void): void {
    const { exchange, routingKey, content, options } = parcel;
    this.#inFlight += 1;
    this.#watch ??= this.#startWatch();
    const onConfirm = (error: Error | null): void => {
      if (channel === this.#channel) {
        this.#inFlight -= 1;
        this.#answers += 1;
        if (this.#waiters.size > 0) this.#wake();
      }
      if (error === null) answer(this.#takeReturned(parcel) ? "unroutable" : "confirmed");
      else answer(error.message === "message nacked" ? "refused" : "unknown");
    };
    try {
      if (!channel.publish(exchange, routingKey, content, options, onConfirm)) this.#isFull = true;
    } catch {
      // The driver refuses what it is given once its connection is closing: it never left.
      this.#inFlight -= 1;
      answer("unsent");
    }
  }

  /** A channel with room; `undefined` when there is none by the deadline. */
  async #writable(deadline: number): Promise<ConfirmChannel | undefined> {
    for (;;) {
      const channel = this.#channel;
      if (channel !== undefined && this.#inFlight < window && !this.#isFull && !this.#link.isBlocked) return channel;
      const left = deadline - monotonicNow();
      if (left <= 0) return undefined;
      await untilDone((done) => {
        this.#waiters.add(done);
        return () => this.#waiters.delete(done);
      }, deadline);
    }
  }

  #onReturn({ fields, properties }: Message): void {
    const key = `${fields.exchange}\n${fields.routingKey}\n${properties.messageId as string}`;
    this.#returned.set(key, (this.#returned.get(key) ?? 0) + 1);
  }

  /** What is returned comes before its confirm. */
  #takeReturned({ exchange, routingKey, options }: Parcel): boolean {
    if (this.#returned.size === 0) return false;
    const key = `${exchange}\n${routingKey}\n${options.messageId as string}`;
    const count = this.#returned.get(key);
    if (count === undefined) return false;
    if (count === 1) this.#returned.delete(key);
    else this.#returned.set(key, count - 1);
    return true;
  }

  /** The channel alone may break, such as by an exchange that is gone; the connection goes on with another. */
  #onClose(channel: ConfirmChannel, model: ChannelModel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#inFlight = 0;
    this.#stopWatch();
    this.open(model).catch(() => this.#link.drop("no channel could be opened", model));
  }

  /** Where nothing is confirmed for the time of a call, nobody is there. */
  #startWatch(): NodeJS.Timeout {
    let before = this.#answers;
    return setInterval(() => {
      if (this.#inFlight === 0) return this.#stopWatch();
      if (this.#answers === before && !this.#link.isBlocked) this.#link.drop("no confirm came in time");
      before = this.#answers;
    }, this.#link.dialling.timeout);
  }

  #stopWatch(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }

  close(): void {
    this.#channel = undefined;
    this.#stopWatch();
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }
}

/** Resolves when the registered callback is called, or at `deadline`. */
function untilDone(register: (done: () => void) => unknown, deadline: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      if (typeof unregister === "function") unregister();
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, deadline - monotonicNow()));
    const unregister = register(end);
  });
}
