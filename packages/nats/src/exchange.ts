import type { Msg, MsgHdrs, NatsConnection, Subscription } from "@nats-io/transport-node";
import { createInbox } from "@nats-io/transport-node";
import { TurnoverMap } from "@taskferry/core";

/** One message that wants a reply. */
export interface Request {
  readonly subject: string;
  readonly payload: Uint8Array | string;
  readonly headers?: MsgHdrs | undefined;
}

/** What became of a batch of requests. */
export interface Replies {
  /** Per request and in order; `undefined` where none came. */
  readonly replies: readonly (Msg | undefined)[];
  /** What the server said it does not allow, if anything. */
  readonly denied: Error | undefined;
}

/** Requests under way at once, and their bytes: enough to keep the server busy. */
const mostInFlight = 1_000;
const mostBytesInFlight = 4 * 1024 * 1024;

interface Open {
  readonly batch: Batch;
  readonly index: number;
}

/**
 * Requests and their replies over one inbox of our own. The driver makes a promise, a timer and a trace for each request;
 * this makes an entry in a map, at a fifth of the price.
 */
export class Exchange {
  readonly #connection: NatsConnection;
  readonly #prefix: string;
  readonly #subscription: Subscription;
  readonly #open = new TurnoverMap<string, Open>();
  #next = 0;

  constructor(connection: NatsConnection, inboxPrefix: string | undefined) {
    this.#connection = connection;
    this.#prefix = `${createInbox(inboxPrefix)}.`;
    this.#subscription = connection.subscribe(`${this.#prefix}*`, {
      callback: (error, message) => {
        if (error === null) this.#hear(message);
        else this.#deny(error);
      },
    });
  }

  /** Sends all and resolves when all are answered, the connection has broken, or `limit` milliseconds are over. */
  ask(requests: readonly Request[], limit: number): Promise<Replies> {
    return new Promise((resolve) => {
      const batch = new Batch(requests, (replies) => {
        clearTimeout(timer);
        for (const token of batch.tokens) this.#open.delete(token);
        resolve(replies);
      });
      // After a blocked event loop timers come first: the replies may be there, unread.
      const timer = setTimeout(() => setImmediate(() => batch.end(undefined)), limit);
      this.#sendMore(batch);
      if (requests.length === 0) batch.end(undefined);
    });
  }

  /** Ends what is open: its replies can come no more. */
  breakOff(): void {
    for (const batch of this.#batches()) batch.end(undefined);
  }

  /** Ends what cannot be answered since the server does not allow it. */
  deny(subject: string, error: Error): void {
    for (const batch of this.#batches())
      if (batch.requests.some((request) => request.subject === subject)) batch.end(error);
  }

  close(): void {
    this.breakOff();
    this.#subscription.unsubscribe();
  }

  #deny(error: Error): void {
    for (const batch of this.#batches()) batch.end(error);
  }

  #batches(): ReadonlySet<Batch> {
    return new Set([...this.#open.values()].map(({ batch }) => batch));
  }

  #hear(message: Msg): void {
    const token = message.subject.slice(this.#prefix.length);
    const open = this.#open.get(token);
    if (open === undefined) return;
    this.#open.delete(token);
    open.batch.answer(open.index, message);
    this.#sendMore(open.batch);
  }

  #sendMore(batch: Batch): void {
    for (let index = batch.next(); index !== undefined; index = batch.next()) {
      const { subject, payload, headers } = batch.requests[index] as Request;
      this.#next += 1;
      const token = this.#next.toString(36);
      this.#open.set(token, { batch, index });
      batch.tokens.push(token);
      const reply = this.#prefix + token;
      this.#connection.publish(subject, payload, headers === undefined ? { reply } : { reply, headers });
    }
  }
}

class Batch {
  readonly requests: readonly Request[];
  readonly tokens: string[] = [];
  readonly #replies: (Msg | undefined)[];
  readonly #onEnd: (replies: Replies) => void;
  #sent = 0;
  #answered = 0;
  #bytes = 0;
  #isEnded = false;

  constructor(requests: readonly Request[], onEnd: (replies: Replies) => void) {
    this.requests = requests;
    this.#replies = new Array<Msg | undefined>(requests.length).fill(undefined);
    this.#onEnd = onEnd;
  }

  /** The index of the next request that may be sent now. */
  next(): number | undefined {
    const inFlight = this.#sent - this.#answered;
    if (this.#isEnded || this.#sent === this.requests.length || inFlight >= mostInFlight) return undefined;
    if (inFlight > 0 && this.#bytes > mostBytesInFlight) return undefined;
    this.#bytes += (this.requests[this.#sent] as Request).payload.length;
    this.#sent += 1;
    return this.#sent - 1;
  }

  answer(index: number, message: Msg): void {
    this.#replies[index] = message;
    this.#answered += 1;
    this.#bytes -= (this.requests[index] as Request).payload.length;
    if (this.#answered === this.requests.length) this.end(undefined);
  }

  end(denied: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onEnd({ replies: this.#replies, denied });
  }
}
