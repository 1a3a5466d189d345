import {
  type Delivery,
  dedupeId,
  monotonicNow,
  type PublishResult,
  type Settlement,
  type SettleResult,
} from "@taskferry/core";
import { type Connection, hasNoResponders } from "../connection.ts";
import type { Request } from "../exchange.ts";
import { headersOf, natsHeader } from "../frame.ts";
import { type Token, tokenOf } from "./delivery.ts";
import { bandOf, type Layout, middle } from "./layout.ts";
import type { Publisher } from "./publisher.ts";

/** What a message's end is called by JetStream. */
type Verb = "+ACK" | "+TERM" | "+WPI";

export const reasonHeader = "Taskferry-Reason";
export const keyHeader = "Taskferry-Key";

export interface SettlerParts {
  readonly connection: Connection;
  readonly layout: Layout;
  readonly publisher: Publisher;
  readonly queue: string;
}

/** Ends deliveries: first what is to take a message's place is published, then the message is acknowledged. */
export class Settler {
  readonly #parts: SettlerParts;

  constructor(parts: SettlerParts) {
    this.#parts = parts;
  }

  /** Answers per item and in order; rejects when nothing was attempted. The deliveries are their consumer's. */
  async settle(settlements: readonly Settlement[]): Promise<readonly SettleResult[]> {
    const { publisher, connection } = this.#parts;
    const results: SettleResult[] = settlements.map(() => "unknown");
    const successors = settlements.map((settlement) => this.#successorOf(settlement));
    const requests = successors.flatMap((request) => (request === undefined ? [] : [request]));
    const deadline = monotonicNow() + connection.timeout;
    const published = requests.length === 0 ? [] : await publisher.send(requests, deadline);
    const ready: { readonly index: number; readonly token: Token; readonly verb: Verb }[] = [];
    let position = 0;
    settlements.forEach(({ kind, delivery }, index) => {
      if (successors[index] !== undefined) {
        const { status } = published[position++] as PublishResult;
        if (status !== "accepted" && status !== "duplicate") return;
      }
      ready.push({ index, token: tokenOf(delivery), verb: kind === "reject" ? "+TERM" : "+ACK" });
    });
    const answers = await this.confirm(ready, requests.length > 0);
    ready.forEach(({ index }, place) => {
      results[index] = answers[place] as SettleResult;
    });
    return results;
  }

  /**
   * Says something of deliveries and resolves once the server has heard it. A server that stands alone hears one
   * connection in order, so there the last of each consumer answers for all.
   *
   * @param isOnTheWay - whether something was sent before: then it does not reject.
   */
  async confirm(
    items: readonly { readonly token: Token; readonly verb: Verb }[],
    isOnTheWay = false,
  ): Promise<readonly SettleResult[]> {
    const { connection } = this.#parts;
    const results: SettleResult[] = items.map(() => "unknown");
    if (items.length === 0) return results;
    if (!connection.isConnected) {
      if (isOnTheWay) return results;
      throw connection.unavailable("there is no connection");
    }
    const groups = connection.isAlone ? lastOfEach(items) : items.map((_, index) => ({ last: index, others: [] }));
    for (const { others } of groups) {
      for (const index of others) {
        const { token, verb } = items[index] as (typeof items)[number];
        connection.driver.publish(token.ack, verb);
      }
    }
    const requests = groups.map(({ last }): Request => {
      const { token, verb } = items[last] as (typeof items)[number];
      return { subject: token.ack, payload: verb };
    });
    const { replies } = await connection.ask(requests, connection.timeout);
    groups.forEach(({ last, others }, place) => {
      const reply = replies[place];
      if (reply === undefined) return;
      // Nobody hears acknowledgements: the consumer was deleted, or is not there yet. Once that is known, they are lost.
      if (hasNoResponders(reply)) (items[last] as (typeof items)[number]).token.source.suspect();
      else for (const index of [...others, last]) results[index] = "settled";
    });
    return results;
  }

  /** What is published in the place of a delivery. */
  #successorOf(settlement: Settlement): Request | undefined {
    const { delivery } = settlement;
    switch (settlement.kind) {
      case "ack":
        return undefined;
      case "retry": {
        const request = this.#parts.publisher.toRequest(settlement.next, settlement.delay);
        if ("subject" in request) return request;
        throw request;
      }
      case "reject":
        return this.#deadLetter(delivery, JSON.stringify(settlement.reason));
      case "release":
        return this.#handBack(delivery);
    }
  }

  #deadLetter(delivery: Delivery, reason: string): Request {
    const { layout, queue } = this.#parts;
    const { bytes, sequence, source } = tokenOf(delivery);
    const key = delivery.message === undefined ? `${sequence}` : dedupeId(delivery.message);
    const headers = headersOf({
      [natsHeader.messageId]: `${source.created}:${sequence}`,
      [keyHeader]: key,
      [reasonHeader]: escapeText(reason),
    });
    return { subject: layout.dead(queue), payload: bytes, headers };
  }

  /** JetStream would count a hand-back as a delivery, so the message is published anew with its count so far. */
  #handBack(delivery: Delivery): Request {
    const { layout, queue } = this.#parts;
    const { bytes, sequence, source } = tokenOf(delivery);
    const band = delivery.message === undefined ? middle : bandOf(delivery.message);
    const headers = headersOf({ [natsHeader.messageId]: `released:${source.created}:${sequence}` });
    return { subject: layout.ready(queue, band, (delivery.deliveryCount ?? 1) - 1), payload: bytes, headers };
  }
}

/** By consumer: the last item, and those before it. */
function lastOfEach(
  items: readonly { readonly token: Token }[],
): readonly { readonly last: number; readonly others: readonly number[] }[] {
  const groups = new Map<string, number[]>();
  items.forEach(({ token }, index) => {
    const { name } = token.source.durable;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [index]);
    else group.push(index);
  });
  return [...groups.values()].map((indexes) => ({ last: indexes.at(-1) as number, others: indexes.slice(0, -1) }));
}

/** JSON whose characters fit into a header, whatever the text. */
function escapeText(json: string): string {
  return json.replaceAll(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
