import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { ClosedError, type Delivery, isTaskferryError, monotonicNow, readDelivery } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { longestBlock } from "../driver.ts";
import { isAbortedFirst } from "../is-aborted-first.ts";
import { PackedListReader } from "../packed-list.ts";
import type { ScriptCall } from "../script.ts";
import type { QueueKeys } from "./keys.ts";
import { runOnMarker } from "./marker.ts";
import type { QueueScripts } from "./scripts.ts";
import { ServerClock } from "./server-clock.ts";
import type { Token } from "./token.ts";

export interface TakerParts {
  readonly commands: Connection;
  /** A connection of its own, to block on the marker with. */
  readonly blocking: Connection;
  readonly keys: QueueKeys;
  readonly scripts: Pick<QueueScripts, "take">;
  /** Names the consumer among all of the queue. */
  readonly id: string;
  readonly lease: number;
  readonly dedupeWindow: number;
  /** Told of what came, before anybody else. */
  readonly onTaken: (deliveries: readonly Delivery[]) => void;
}

export interface Taken {
  readonly deliveries: readonly Delivery[];
  /** When something can become ready by itself: at once where more is ready; never where nothing waits or is held. */
  readonly nextAt: number;
}

/** One of a consumer's takes; the same number again gets the same messages. */
interface Request {
  readonly number: number;
  readonly max: number;
  /** From now on this number gets nothing that it has not got yet. */
  readonly isLast: boolean;
}

type TakeReply = readonly [packed: Buffer, former: readonly number[], next: number, time: number];

interface Answer {
  readonly reply: TakeReply;
  /** When it was given, at the earliest. */
  readonly since: number;
}

/** Milliseconds by which a blocking command may end too soon, by our clock. */
const blockSlack = 10;
/** Milliseconds before a server that is full is asked again. */
const fullPause = 250;

/** Asks a queue for messages, one request after the other. */
export class Taker {
  readonly #parts: TakerParts;
  readonly #clock = new ServerClock();
  #request = 0;

  constructor(parts: TakerParts) {
    this.#parts = parts;
  }

  /**
   * Takes what is there. With `idle`, the milliseconds until something can be there without a marker, it waits for that, at
   * most `longestBlock`. An abort ends the wait; the request may still have got something then.
   *
   * @throws ClosedError once the connection is closed, and what the server refuses.
   */
  async take(max: number, idle: number, ended: AbortSignal): Promise<Taken> {
    this.#request += 1;
    const number = this.#request;
    if (idle <= 0) return this.#ask({ number, max, isLast: false }, ended);
    const answering = this.#askOnMarker({ number, max, isLast: false }, Math.min(longestBlock, idle));
    const answer = (await isAbortedFirst(answering, ended, 0)) ? undefined : await answering;
    if (answer !== undefined) return this.#read(number, answer.reply, answer.since);
    // The request may still wait at the server, where nobody would hear of what it gets.
    return this.#ask({ number, max: ended.aborted ? 0 : max, isLast: true }, ended);
  }

  /** Asks until there is a reply, under the same number, so that a lost reply costs no lease. */
  async #ask(request: Request, ended: AbortSignal): Promise<Taken> {
    const { commands, scripts } = this.#parts;
    for (;;) {
      const since = monotonicNow();
      try {
        const reply = await commands.run<TakeReply>(scripts.take, this.#call(request));
        this.#clock.learn(reply[3], since);
        return this.#read(request.number, reply, since);
      } catch (error) {
        if (ended.aborted) return { deliveries: [], nextAt: 0 };
        if (!commands.isOpen) throw new ClosedError("The consumer");
        if (!isTaskferryError(error) || !error.retryable) throw error;
        if (error.code === "BROKER_FULL") await isAbortedFirst(wait(fullPause), ended, 0);
      }
    }
  }

  async #askOnMarker(request: Request, limit: number): Promise<Answer | undefined> {
    const { blocking, keys, scripts } = this.#parts;
    // Whatever was taken just now goes first.
    await turn();
    const sent = monotonicNow();
    const call = { ...this.#call(request), marker: keys.marker, limit };
    const answer = await runOnMarker<TakeReply>(blocking, scripts.take, call);
    if (answer === undefined) return undefined;
    const { reply, isMarked } = answer;
    if (!isMarked) this.#clock.learn(reply[3], sent + limit - blockSlack);
    return { reply, since: this.#clock.at(reply[3], { earliest: sent, latest: monotonicNow() }) };
  }

  #call({ number, max, isLast }: Request): ScriptCall {
    const { keys, scripts, lease, id, dedupeWindow } = this.#parts;
    return {
      keys: [...keys.of(scripts.take), keys.requestOf(id)],
      args: [max, lease, id, number, dedupeWindow, isLast ? 1 : 0],
    };
  }

  /** @param since - when the leases began, at the earliest. */
  #read(number: number, [packed, former, next]: TakeReply, since: number): Taken {
    const nextAt = next < 0 ? Number.POSITIVE_INFINITY : monotonicNow() + next;
    if (packed.length === 0) return { deliveries: [], nextAt };
    const { id, lease, onTaken } = this.#parts;
    const owner = `${id} ${number}`;
    const reader = new PackedListReader(packed);
    const deliveries = Array.from({ length: reader.length / 2 }, (_, index) => {
      const token: Token = { key: reader.text(), owner };
      const deliveryCount = (former[index] ?? 0) + 1;
      return readDelivery(reader.bytes(), { token, deliveryCount, leaseUntil: since + lease });
    });
    onTaken(deliveries);
    return { deliveries, nextAt };
  }
}
