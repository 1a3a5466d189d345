import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { nanoseconds } from "../streams.ts";
import { within } from "../within.ts";
import { readAckSubject } from "./ack-subject.ts";
import type { Durable, DurableInfo } from "./durables.ts";

export interface SourceParts {
  readonly connection: Connection;
  readonly api: Api;
  readonly durable: Durable;
  readonly onMessage: (message: Msg, source: Source) => void;
  /** Told when requests have ended, with or without messages. */
  readonly onEnd: () => void;
  /** Told when the consumer of the server is not there, or does not answer. */
  readonly onGone: (source: Source) => void;
}

interface Pull {
  open: number;
  readonly until: number;
  readonly onEnd?: () => void;
}

/** Milliseconds that a pull request waits at the server. A lost one is made again that much later at the latest. */
const longestPull = 1_000;
const grace = 1_000;
/** Milliseconds between the signs of life that the server owes to a request that waits. */
const slowestSign = 500;
const quickestSign = 50;
/** Milliseconds for which the server is thought to have nothing after it said so. */
const longestTrust = 20;
/** Milliseconds that the server takes to write down that a consumer was made. */
const slowestNote = 1_000;

/** One inbox for answers to pull requests, and the requests that are open there. */
interface Line {
  readonly epoch: number;
  readonly inbox: string;
  readonly subscription: Subscription;
  readonly pulls: Map<number, Pull>;
  /** Called once no request is open. */
  readonly onIdle: (() => void)[];
}

/** Pulls messages of one durable consumer. Counts what was asked for and has not come. */
export class Source {
  readonly durable: Durable;
  /** Which of the consumers of that name on the server it is: a new one after it was deleted. */
  incarnation = 0;
  /** When the server first said that this one was made. */
  created: string | undefined;
  /** Milliseconds after which the server delivers again what is not acknowledged. */
  ackWait = 0;
  readonly #parts: SourceParts;
  #line: Line | undefined;
  /** Whether there may be more than has come: the last message said so, or none has come yet. */
  #hasMore = true;
  #ranDryAt = 0;
  #next = 0;
  #newest = 0;
  #known: Known | undefined;

  constructor(parts: SourceParts) {
    this.#parts = parts;
    this.durable = parts.durable;
  }

  /** Messages that were asked for and may still come. */
  get outstanding(): number {
    const line = this.#line;
    if (line === undefined || line.epoch !== this.#parts.connection.epoch) return 0;
    const now = monotonicNow();
    let open = 0;
    let isSilent = false;
    for (const [number, pull] of line.pulls) {
      if (pull.until >= now) open += pull.open;
      else isSilent = line.pulls.delete(number);
    }
    // A server says nothing to requests for a consumer that it does not have.
    if (isSilent) this.#parts.onGone(this);
    return open;
  }

  /** Whether the server may have something, and no request waits there that would have got it. */
  get isWorthAsking(): boolean {
    if (this.outstanding > 0) return false;
    return this.#hasMore || monotonicNow() - this.#ranDryAt > longestTrust;
  }

  /** To be told when the consumer of the server was made or found. */
  meet({ created, config }: DurableInfo): void {
    const { restartedAt } = this.#parts.connection;
    if (this.#known !== undefined && !isSame(this.#known, { created, restartedAt })) {
      this.incarnation += 1;
      this.#hasMore = true;
      this.#newest = 0;
      this.created = undefined;
    }
    this.#known = { created, restartedAt };
    this.created ??= created;
    this.ackWait = config.ack_wait / nanoseconds;
  }

  /** Whether neither a message with this number in the stream nor a later one has come before. */
  isNew(sequence: number): boolean {
    if (sequence <= this.#newest) return false;
    this.#newest = sequence;
    return true;
  }

  /** To be told of a sign that the consumer of the server is not there. */
  suspect(): void {
    this.#parts.onGone(this);
  }

  /**
   * Asks for up to `count` messages, to come within seconds.
   *
   * Where the only request that waits is of somebody who is gone, servers up to 2.9 count a redelivery that nobody gets,
   * and deliver once more what they delivered last. So a request is heard to its end, unless the process is killed; and
   * with each sign of life that they owe, they look who is still there.
   */
  pull(count: number): void {
    const sign = Math.round(Math.max(quickestSign, Math.min(slowestSign, this.ackWait / 8)));
    const pull = { open: count, until: monotonicNow() + longestPull + grace };
    this.#send(pull, { expires: longestPull * nanoseconds, idle_heartbeat: sign * nanoseconds });
  }

  /** Asks for up to `count` messages that are there, and resolves to how many came. */
  fetch(count: number): Promise<number> {
    return new Promise((resolve) => {
      const { timeout } = this.#parts.connection;
      const end = (): void => {
        clearTimeout(timer);
        resolve(count - Math.max(0, pull.open));
      };
      const pull: Pull = { open: count, until: monotonicNow() + timeout, onEnd: end };
      const timer = setTimeout(end, timeout);
      if (!this.#send(pull, { no_wait: true })) end();
    });
  }

  /** To be told that there is a new connection: what was asked for on an earlier one does not come. */
  reconnect(): void {
    const line = this.#line;
    if (line === undefined || line.epoch === this.#parts.connection.epoch) return;
    this.#line = undefined;
    void this.#endLine(line);
  }

  /** Resolves once nothing can come that was asked for: after a second at the latest. */
  async settled(): Promise<void> {
    const line = this.#line;
    const { isConnected, epoch } = this.#parts.connection;
    if (line === undefined || line.pulls.size === 0 || line.epoch !== epoch || !isConnected) return;
    await within(new Promise<void>((resolve) => void line.onIdle.push(resolve)), longestPull + grace);
  }

  /** Hears no more of what was asked for, and resolves once nothing of it can come. For the end. */
  async withdraw(): Promise<void> {
    const line = this.#line;
    if (line === undefined || (line.pulls.size === 0 && line.epoch === this.#parts.connection.epoch)) return;
    this.#line = undefined;
    await this.#endLine(line);
  }

  #send(pull: Pull, limits: object): boolean {
    const { connection, api, durable } = this.#parts;
    if (!connection.isConnected) return false;
    const { inbox, pulls } = this.#openLine();
    this.#next += 1;
    pulls.set(this.#next, pull);
    connection.driver.publish(
      api.subjectOf(`CONSUMER.MSG.NEXT.${durable.stream}.${durable.name}`),
      JSON.stringify({ batch: pull.open, ...limits }),
      { reply: `${inbox}.${this.#next}` },
    );
    return true;
  }

  #openLine(): Line {
    const { connection } = this.#parts;
    const { epoch } = connection;
    // Requests of an earlier connection are lost.
    if (this.#line !== undefined && this.#line.epoch !== epoch) void this.#endLine(this.#line);
    else if (this.#line !== undefined) return this.#line;
    const inbox = createInbox(connection.inboxPrefix);
    const pulls = new Map<number, Pull>();
    const onIdle: (() => void)[] = [];
    const subscription = connection.driver.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.#parts.onGone(this);
        else if (message.reply) this.#receive(message, line);
        else this.#end(message, line);
      },
    });
    const line = { epoch, inbox, subscription, pulls, onIdle };
    this.#line = line;
    return line;
  }

  async #endLine({ epoch, subscription, pulls, onIdle }: Line): Promise<void> {
    const { connection } = this.#parts;
    if (connection.isConnected && connection.epoch === epoch && !subscription.isClosed()) {
      // The server has let go of the requests before it answers the flush in here.
      await within(subscription.drain(), connection.timeout);
    }
    if (!subscription.isClosed()) subscription.unsubscribe();
    for (const pull of pulls.values()) pull.onEnd?.();
    pulls.clear();
    for (const tell of onIdle.splice(0)) tell();
  }

  #receive(message: Msg, line: Line): void {
    this.#hasMore = mayHaveMore(message);
    if (!this.#hasMore) this.#ranDryAt = monotonicNow();
    this.#parts.onMessage(message, this);
    for (const [number, pull] of line.pulls) {
      pull.open -= 1;
      if (pull.open <= 0) endPull(line, number);
      return;
    }
  }

  #end({ subject, headers }: Msg, line: Line): void {
    if (headers?.code === 100) return;
    this.#hasMore = false;
    this.#ranDryAt = monotonicNow();
    endPull(line, Number(subject.slice(subject.lastIndexOf(".") + 1)));
    if (headers?.code === 503 || /deleted|not found/i.test(headers?.description ?? "")) this.#parts.onGone(this);
    this.#parts.onEnd();
  }
}

/** What the server said last of when its consumer was made, and when that server was started anew. */
interface Known {
  readonly created: string;
  readonly restartedAt: number;
}

/** After a restart the server reads from its disk when a consumer was made, which it wrote down a moment later. */
function isSame(before: Known, now: Known): boolean {
  if (before.created === now.created) return true;
  const apart = Math.abs(Date.parse(now.created) - Date.parse(before.created));
  return before.restartedAt !== now.restartedAt && apart < slowestNote;
}

/** By the count of what is pending, which leaves out what is to be delivered again. */
function mayHaveMore({ reply = "" }: Msg): boolean {
  return !reply.endsWith(".0") || readAckSubject(reply).delivered > 1;
}

function endPull({ pulls, onIdle }: Line, number: number): void {
  const pull = pulls.get(number);
  pulls.delete(number);
  pull?.onEnd?.();
  if (pulls.size === 0) for (const tell of onIdle.splice(0)) tell();
}
