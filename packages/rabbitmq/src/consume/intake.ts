import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { onError } from "../driver.ts";
import type { Link } from "../link.ts";
import { type Band, bands } from "../topology/names.ts";
import { TagWindow } from "./tag-window.ts";

export interface IntakeParts {
  readonly link: Link;
  readonly model: ChannelModel;
  /** The name of a band's queue on the server. */
  readonly nameOf: (band: Band) => string;
  readonly onArrival: () => void;
  /** The server ended a subscription, such as when its queue was deleted. */
  readonly onCancelled: () => void;
  /** The channel is gone, and all that was delivered on it is with the server again. */
  readonly onLost: (error: Error | undefined) => void;
}

/** One message that was delivered on one channel and not settled there. */
export interface Held {
  readonly intake: Intake;
  readonly band: Band;
  readonly raw: ConsumeMessage;
  /** Against which subscription it counts; none where it was fetched, or is known to be settled. */
  subscription: Subscription | undefined;
  /** Whether it was taken and is not settled. */
  isTaken: boolean;
  /** Whether a settlement of it is under way, or done. */
  isEnding: boolean;
  /** Whether it is to be acknowledged. */
  isEnded: boolean;
}

interface Subscription {
  readonly band: Band;
  readonly prefetch: number;
  /** Sent to us, and not yet known to be settled by the server: an acknowledgement is under way behind all that it sends. */
  outstanding: number;
}

/** Acknowledgements that wait for more to go with them, at most: each is a step of its own for a quorum queue. */
const mostGathered = 128;

/** One channel of a consumer: what comes in on it, and what is acknowledged there and nowhere else. */
export class Intake {
  isAlive = true;
  #taken = 0;
  readonly #parts: IntakeParts;
  readonly #channel: Channel;
  /** All that is delivered and not settled. */
  readonly #open = new TagWindow<Held>();
  readonly #waiting: Readonly<Record<Band, Held[]>> = { 0: [], 1: [], 2: [] };
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #lastArrival: Record<Band, number> = { 0: 0, 1: 0, 2: 0 };
  /** Not acknowledged yet. */
  #ended: Held[] = [];
  #nextTag = 1;
  #prefetch = 1;
  #confirming: Promise<void> | undefined;
  #confirmingNext: Promise<void> | undefined;
  #error: Error | undefined;

  private constructor(parts: IntakeParts, channel: Channel) {
    this.#parts = parts;
    this.#channel = channel;
    onError(channel, (error) => {
      this.#error = error;
    });
    channel.once("close", () => this.#onClose());
  }

  static async open(parts: IntakeParts): Promise<Intake> {
    const opening = parts.model.createChannel();
    return new Intake(parts, await parts.link.answer(opening, "the opening of a channel"));
  }

  get isSubscribed(): boolean {
    return this.#subscriptions.size > 0;
  }

  /** How many wait to be taken. */
  get buffered(): number {
    return bands.reduce<number>((sum, band) => sum + this.#waiting[band].length, 0);
  }

  /** When something last came from a band, by the clock of `performance.now()`. */
  lastArrival(band: Band): number {
    return this.#lastArrival[band];
  }

  hasWaiting(band: Band): boolean {
    return this.#waiting[band].length > 0;
  }

  /** How many were taken and are not settled. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes up to so many of a band, the oldest first. */
  take(band: Band, most: number): readonly Held[] {
    const taken = this.#waiting[band].splice(0, most);
    for (const held of taken) held.isTaken = true;
    this.#taken += taken.length;
    return taken;
  }

  /** To be told of what was taken and is settled. */
  putDown(held: Held): void {
    if (!held.isTaken) return;
    held.isTaken = false;
    this.#taken -= 1;
    this.#discount(held);
  }

  /** Takes back all that waits, to be handed back. */
  takeBuffered(): readonly Held[] {
    return bands.flatMap((band) => this.#waiting[band].splice(0));
  }

  /** How many a band may have under way at once, and how many more the server may send. */
  creditOf(band: Band): { readonly total: number; readonly left: number } {
    let total = 0;
    let left = 0;
    for (const { band: of, prefetch, outstanding } of this.#subscriptions.values()) {
      if (of !== band) continue;
      total += prefetch;
      left += prefetch - outstanding;
    }
    return { total, left };
  }

  subscriptionsOf(band: Band): number {
    return [...this.#subscriptions.values()].filter((subscription) => subscription.band === band).length;
  }

  /** Has the server send up to `prefetch` more from these bands, the first one first. */
  async subscribe(wanted: readonly Band[], prefetch: number): Promise<void> {
    this.#prefetch = prefetch;
    // One behind the other, with nothing in between: the limit is for the subscriptions that follow it.
    const limiting = this.#channel.prefetch(prefetch);
    const consuming = wanted.map((band) => this.#consume(band, prefetch));
    await this.#parts.link.answer(Promise.all([limiting, ...consuming]), "a subscription");
  }

  /** Ends all subscriptions. What was sent before has come in when it resolves. */
  async unsubscribe(): Promise<void> {
    const tags = [...this.#subscriptions.keys()];
    this.#subscriptions.clear();
    await this.#parts.link.answer(
      Promise.all(tags.map((tag) => this.#channel.cancel(tag))),
      "the end of a subscription",
    );
  }

  /** Asks for one message. Answers whether there was one. */
  async fetch(band: Band): Promise<boolean> {
    const getting = this.#channel.get(this.#parts.nameOf(band), { noAck: false });
    const message = await this.#parts.link.answer(getting, "a fetch");
    if (message === false) return false;
    this.#arrive(band, message as unknown as ConsumeMessage, undefined);
    return true;
  }

  /** Acknowledges these: with the next {@link confirm}, or as soon as there are many. */
  ack(ended: readonly Held[]): void {
    if (!this.isAlive) return;
    for (const held of ended) {
      held.isEnded = true;
      this.#ended.push(held);
    }
    if (this.#ended.length >= mostGathered) this.#acknowledge();
  }

  /** Puts it back into its queue; the server counts that. */
  giveBack(held: Held): void {
    if (!this.isAlive) return;
    this.#forget(held);
    this.#channel.nack(held.raw, false, true);
  }

  /**
   * Resolves once the server has come by all acknowledgements before: they have no answer of their own. One question is
   * under way at a time; all who come meanwhile share the next.
   */
  confirm(): Promise<void> {
    if (this.#confirming === undefined) return this.#askForConfirm();
    this.#confirmingNext ??= this.#confirming
      .catch(() => undefined)
      .then(() => {
        this.#confirmingNext = undefined;
        return this.#askForConfirm();
      });
    return this.#confirmingNext;
  }

  /** All up to the last of a completed beginning in one, the others one by one. */
  #acknowledge(): void {
    const ended = this.#ended;
    if (ended.length === 0 || !this.isAlive) return;
    this.#ended = [];
    let last: ConsumeMessage | undefined;
    let count = 0;
    for (let held = this.#open.oldest; held?.isEnded; held = this.#open.oldest) {
      this.#forget(held);
      last = held.raw;
      count += 1;
    }
    if (last !== undefined) this.#channel.ack(last, count > 1);
    if (count === ended.length) return;
    for (const held of ended) {
      if (this.#open.get(held.raw.fields.deliveryTag) === undefined) continue;
      this.#forget(held);
      this.#channel.ack(held.raw);
    }
  }

  async #askForConfirm(): Promise<void> {
    this.#acknowledge();
    const asking = this.#parts.link
      .answer(this.#channel.prefetch(this.#prefetch), "acknowledgements")
      .then(() => undefined);
    this.#confirming = asking;
    try {
      await asking;
    } finally {
      if (this.#confirming === asking) this.#confirming = undefined;
    }
  }

  async close(): Promise<void> {
    if (!this.isAlive) return;
    this.#acknowledge();
    this.isAlive = false;
    await this.#parts.link.answer(this.#channel.close(), "the end of a channel").catch(() => undefined);
  }

  async #consume(band: Band, prefetch: number): Promise<void> {
    // The tag is chosen here, so that the first message finds its subscription.
    const consumerTag = `${band}-${this.#nextTag++}`;
    const subscription: Subscription = { band, prefetch, outstanding: 0 };
    this.#subscriptions.set(consumerTag, subscription);
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message !== null) return this.#arrive(band, message, subscription);
      this.#subscriptions.delete(consumerTag);
      this.#parts.onCancelled();
    };
    try {
      await this.#channel.consume(this.#parts.nameOf(band), onMessage, { consumerTag, noAck: false });
    } catch (error) {
      this.#subscriptions.delete(consumerTag);
      throw error;
    }
  }

  #arrive(band: Band, raw: ConsumeMessage, subscription: Subscription | undefined): void {
    if (!this.isAlive) return;
    const held: Held = { intake: this, band, raw, subscription, isTaken: false, isEnding: false, isEnded: false };
    this.#open.add(raw.fields.deliveryTag, held);
    this.#waiting[band].push(held);
    this.#lastArrival[band] = performance.now();
    if (subscription !== undefined) subscription.outstanding += 1;
    this.#parts.onArrival();
  }

  #forget(held: Held): void {
    this.#open.delete(held.raw.fields.deliveryTag);
    if (!held.isTaken) this.#discount(held);
  }

  #discount(held: Held): void {
    if (held.subscription !== undefined) held.subscription.outstanding -= 1;
    held.subscription = undefined;
  }

  #onClose(): void {
    const wasAlive = this.isAlive;
    this.isAlive = false;
    this.#open.clear();
    this.#ended = [];
    this.takeBuffered();
    this.#subscriptions.clear();
    if (wasAlive) this.#parts.onLost(this.#error);
  }
}
