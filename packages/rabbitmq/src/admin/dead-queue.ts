import { setTimeout as wait } from "node:timers/promises";
import {
  type DeadLetterReason,
  decodeMessage,
  isTaskferryError,
  type Message,
  monotonicNow,
  type QueueEntry,
} from "@taskferry/core";
import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { deathIn, reasonIn } from "../copies.ts";
import { onError } from "../driver.ts";
import { classify, toBrokerError } from "../faults.ts";
import type { Link } from "../link.ts";

/** One dead letter, and the copies of it that a lost answer has left. */
export interface DeadLetter {
  readonly entry: QueueEntry;
  readonly at: number;
  readonly raws: readonly ConsumeMessage[];
}

/**
 * Reads the dead letters of a queue: takes all of them at once, looks, removes some, and puts the rest back where they
 * were. One at a time: the others wait.
 */
export class DeadQueue {
  readonly #link: Link;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(link: Link) {
    this.#link = link;
  }

  look<T>(model: ChannelModel, name: string, read: (letters: readonly DeadLetter[]) => T): Promise<T> {
    return this.#inTurn(model, name, (letters) => ({ answer: read(letters), gone: [] }));
  }

  /** Removes those that are chosen, and answers how many there were. */
  change(model: ChannelModel, name: string, isChosen: (letter: DeadLetter) => boolean): Promise<number> {
    return this.#inTurn(model, name, (letters) => {
      const gone = letters.filter(isChosen);
      return { answer: gone.length, gone };
    });
  }

  #inTurn<T>(model: ChannelModel, name: string, work: Work<T>): Promise<T> {
    const done = this.#tail.then(() => this.#visit(model, name, work));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #visit<T>(model: ChannelModel, name: string, work: Work<T>): Promise<T> {
    const { timeout, address } = this.#link.dialling;
    const deadline = monotonicNow() + timeout;
    for (;;) {
      try {
        return await this.#link.answer(visit(model, name, work), "a look into the dead letters");
      } catch (error) {
        const kind = classify(error);
        if (kind === "missing") return work([]).answer;
        // Another process is looking.
        if (kind !== "locked" || monotonicNow() > deadline) throw toBrokerError(error, address);
      }
      await wait(50);
    }
  }
}

type Work<T> = (letters: readonly DeadLetter[]) => { readonly answer: T; readonly gone: readonly DeadLetter[] };

/** Milliseconds without another letter after which there are no more than have come: somebody else removed some. */
const silence = 1_000;

async function visit<T>(model: ChannelModel, name: string, work: Work<T>): Promise<T> {
  const channel = await model.createChannel();
  onError(channel, () => undefined);
  try {
    const { messageCount } = await channel.checkQueue(name);
    if (messageCount === 0) return work([]).answer;
    const raws = await takeAll(channel, name, messageCount);
    const { answer, gone } = work(toLetters(raws));
    const removed = gone.flatMap(({ raws: copies }) => copies);
    for (const raw of removed) channel.ack(raw);
    if (removed.length < raws.length) await putBack(channel, name, raws.length - removed.length);
    return answer;
  } finally {
    await channel.close().catch(() => undefined);
  }
}

/** What is left goes back in its old order, and is there again for everybody when this resolves. */
async function putBack(channel: Channel, name: string, count: number): Promise<void> {
  channel.nackAll(true);
  const deadline = monotonicNow() + silence;
  while ((await channel.checkQueue(name)).messageCount < count && monotonicNow() < deadline) await wait(2);
}

async function takeAll(channel: Channel, name: string, count: number): Promise<readonly ConsumeMessage[]> {
  const raws: ConsumeMessage[] = [];
  let done: () => void = () => undefined;
  const all = new Promise<void>((resolve) => {
    done = resolve;
  });
  let timer = setTimeout(done, silence);
  const onMessage = (raw: ConsumeMessage | null): void => {
    clearTimeout(timer);
    if (raw !== null) raws.push(raw);
    if (raw === null || raws.length >= count) return done();
    timer = setTimeout(done, silence);
  };
  try {
    const { consumerTag } = await channel.consume(name, onMessage, { exclusive: true });
    await all;
    await channel.cancel(consumerTag);
  } finally {
    clearTimeout(timer);
  }
  return raws;
}

/** Newest first. */
function toLetters(raws: readonly ConsumeMessage[]): readonly DeadLetter[] {
  const byKey = new Map<string, ConsumeMessage[]>();
  for (const [position, raw] of raws.entries()) {
    const { messageId } = raw.properties as { readonly messageId?: unknown };
    const key = typeof messageId === "string" && messageId !== "" ? messageId : `${position}:${raw.content.length}`;
    byKey.set(key, [...(byKey.get(key) ?? []), raw]);
  }
  const letters = [...byKey].map(([key, copies], position) => ({ ...toLetter(key, copies), position }));
  return letters.toSorted((a, b) => b.at - a.at || b.position - a.position);
}

function toLetter(key: string, raws: readonly ConsumeMessage[]): DeadLetter {
  const [raw] = raws as readonly [ConsumeMessage];
  const reason = readReason(raw);
  const message = readMessage(raw.content);
  return { entry: { key, bytes: raw.content, ...(message && { message }), reason }, at: reason.at, raws };
}

function readReason({ properties }: ConsumeMessage): DeadLetterReason {
  const own = reasonIn(properties);
  if (own !== undefined) return JSON.parse(own) as DeadLetterReason;
  const death = deathIn(properties);
  if (death?.reason === "delivery_limit") {
    const message =
      "RabbitMQ gave it up: it was delivered as often as `deliveryLimit` allows and never settled. Its worker may have crashed each time.";
    return { code: "TOO_MANY_DELIVERIES", message, at: death.at };
  }
  const message =
    death === undefined ? "Somebody put it here, and left no reason." : `RabbitMQ moved it here: ${death.reason}.`;
  return { code: "TASK_FAILED", message, at: death?.at ?? 0 };
}

function readMessage(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (isTaskferryError(error)) return undefined;
    throw error;
  }
}
