import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { nanoseconds } from "../streams.ts";
import { within } from "../within.ts";
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
const longestPull = 3_000;
const grace = 1_000;

/** One inbox for answers to pull requests, and the requests that are open there. */
interface Line {
  readonly epoch: number;
  readonly inbox: string;
  readonly subscription: Subscription;
  readonly pulls: Map<number, Pull>;
}

/** Pulls messages of one durable consumer. Counts what was asked for and has not come. */
export class Source {
  readonly durable: Durable;
  /** Which of the consumers of that name on the server it is: a new one after it was deleted. */
  incarnation = 0;
  created: string | undefined;
  /** Milliseconds after which the server delivers again what is not acknowledged. */
  ackWait = 0;
  readonly #parts: SourceParts;
  #line: Line | undefined;
  #next = 0;

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

  /** Whether there may be more than has come: the last message said so, or none has come yet. */
  hasMore = true;

  /** To be told when the consumer of the server was made or found. */
  meet({ created, config }: DurableInfo): void {
    if (this.created !== undefined && this.created !== created) {
      this.incarnation += 1;
      this.hasMore = true;
    }
    this.created = created;
    this.ackWait = config.ack_wait / nanoseconds;
  }

  /** To be told of a sign that the consumer of the server is not there. */
  suspect(): void {
    this.#parts.onGone(this);
  }

  /** Asks for up to `count` messages, to come within seconds. */
  pull(count: number): void {
    this.#send({ open: count, until: monotonicNow() + longestPull + grace }, { expires: longestPull * nanoseconds });
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

  /** Asks for no more, and resolves once nothing can come that was asked for. */
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
    const subscription = connection.driver.subscribe(`${inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.#parts.onGone(this);
        else if (message.reply) this.#receive(message, pulls);
        else this.#end(message, pulls);
      },
    });
    this.#line = { epoch, inbox, subscription, pulls };
    return this.#line;
  }

  async #endLine({ epoch, subscription, pulls }: Line): Promise<void> {
    const { connection } = this.#parts;
    if (connection.isConnected && connection.epoch === epoch && !subscription.isClosed()) {
      // The server has let go of the requests before it answers the flush in here.
      await within(subscription.drain(), connection.timeout);
    }
    if (!subscription.isClosed()) subscription.unsubscribe();
    for (const pull of pulls.values()) pull.onEnd?.();
    pulls.clear();
  }

  #receive(message: Msg, pulls: Map<number, Pull>): void {
    this.hasMore = !message.reply?.endsWith(".0");
    this.#parts.onMessage(message, this);
    for (const [number, pull] of pulls) {
      pull.open -= 1;
      if (pull.open <= 0) endPull(pulls, number);
      return;
    }
  }

  #end({ subject, headers }: Msg, pulls: Map<number, Pull>): void {
    if (headers?.code === 100) return;
    this.hasMore = false;
    endPull(pulls, Number(subject.slice(subject.lastIndexOf(".") + 1)));
    if (headers?.code === 503 || /deleted|not found/i.test(headers?.description ?? "")) this.#parts.onGone(this);
    this.#parts.onEnd();
  }
}

function endPull(pulls: Map<number, Pull>, number: number): void {
  const pull = pulls.get(number);
  pulls.delete(number);
  pull?.onEnd?.();
}
