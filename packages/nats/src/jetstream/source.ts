import { createInbox, type Msg, type Subscription } from "@nats-io/transport-node";
import { monotonicNow } from "@taskferry/core";
import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";
import { within } from "../within.ts";
import type { Durable, DurableInfo } from "./durables.ts";
import { nanoseconds } from "./streams.ts";

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
const longestPull = 5_000;
const grace = 1_500;

/** Pulls messages of one durable consumer. Counts what was asked for and has not come. */
export class Source {
  readonly durable: Durable;
  /** Which of the consumers of that name on the server it is: a new one after it was deleted. */
  incarnation = 0;
  created: string | undefined;
  /** Milliseconds after which the server delivers again what is not acknowledged. */
  ackWait = 0;
  readonly #parts: SourceParts;
  #subscription: Subscription | undefined;
  #inbox = "";
  #epoch = -1;
  #next = 0;
  #pulls = new Map<number, Pull>();

  constructor(parts: SourceParts) {
    this.#parts = parts;
    this.durable = parts.durable;
  }

  /** Messages that were asked for and may still come. */
  get outstanding(): number {
    if (this.#epoch !== this.#parts.connection.epoch) return 0;
    const now = monotonicNow();
    let open = 0;
    for (const [number, pull] of this.#pulls) {
      if (pull.until < now) this.#pulls.delete(number);
      else open += pull.open;
    }
    return open;
  }

  /** To be told when the consumer of the server was made or found. */
  meet({ created, config }: DurableInfo): void {
    if (this.created !== undefined && this.created !== created) this.incarnation += 1;
    this.created = created;
    this.ackWait = config.ack_wait / nanoseconds;
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
    const subscription = this.#subscription;
    this.#subscription = undefined;
    if (subscription === undefined) return;
    const { connection } = this.#parts;
    if (connection.isConnected && !subscription.isClosed()) {
      // The server has let go of the requests before it answers the flush in here.
      await within(subscription.drain(), connection.timeout);
    }
    if (!subscription.isClosed()) subscription.unsubscribe();
    this.#forget();
  }

  #send(pull: Pull, limits: object): boolean {
    const { connection, api, durable } = this.#parts;
    if (!connection.isConnected) return false;
    this.#subscribe();
    this.#next += 1;
    this.#pulls.set(this.#next, pull);
    connection.driver.publish(
      api.subjectOf(`CONSUMER.MSG.NEXT.${durable.stream}.${durable.name}`),
      JSON.stringify({ batch: pull.open, ...limits }),
      { reply: `${this.#inbox}.${this.#next}` },
    );
    return true;
  }

  #subscribe(): void {
    const { connection } = this.#parts;
    if (this.#subscription !== undefined && this.#epoch === connection.epoch) return;
    // Requests of an earlier connection are lost.
    this.#subscription?.unsubscribe();
    this.#forget();
    this.#epoch = connection.epoch;
    this.#inbox = createInbox(connection.inboxPrefix);
    const prefix = this.#inbox.length + 1;
    this.#subscription = connection.driver.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error !== null) this.#parts.onGone(this);
        else if (message.reply) this.#receive(message);
        else this.#end(Number(message.subject.slice(prefix)), message);
      },
    });
  }

  #receive(message: Msg): void {
    const [first] = this.#pulls;
    this.#parts.onMessage(message, this);
    if (first === undefined) return;
    const [number, pull] = first;
    pull.open -= 1;
    if (pull.open <= 0) this.#endPull(number, pull);
  }

  #end(number: number, { headers }: Msg): void {
    if (headers?.code === 100) return;
    const pull = this.#pulls.get(number);
    if (pull !== undefined) this.#endPull(number, pull);
    if (headers?.code === 503 || /deleted|not found/i.test(headers?.description ?? "")) this.#parts.onGone(this);
    this.#parts.onEnd();
  }

  #endPull(number: number, pull: Pull): void {
    this.#pulls.delete(number);
    pull.onEnd?.();
  }

  #forget(): void {
    for (const [number, pull] of this.#pulls) this.#endPull(number, pull);
  }
}
