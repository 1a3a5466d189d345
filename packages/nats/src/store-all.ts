import { setTimeout as wait } from "node:timers/promises";
import type { Msg } from "@nats-io/transport-node";
import { isTaskferryError, monotonicNow } from "@taskferry/core";
import { type Connection, hasNoResponders } from "./connection.ts";
import type { Request } from "./exchange.ts";

/** JetStream's answer to a publish. */
export interface PubAck {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

export interface StoreAllOptions<T> {
  readonly connection: Connection;
  /** On the clock of `monotonicNow()`. */
  readonly deadline: number;
  /** Reads an answer; undefined for one that passes, after which the request is sent again. */
  readonly read: (ack: PubAck) => T | undefined;
  /** A request as it is sent again after an attempt that was not answered: it may be there, and be done. Default: the same. */
  readonly again?: (request: Request) => Request;
}

/**
 * Publishes to streams, again and again under the same message ids, until each is answered or the time is over. Answers
 * undefined for those without an answer.
 *
 * @throws BrokerError `BROKER_UNAVAILABLE` when nothing was attempted; ClosedError.
 */
export async function storeAll<T>(
  requests: readonly Request[],
  { connection, deadline, read, again = (request) => request }: StoreAllOptions<T>,
): Promise<readonly (T | undefined)[]> {
  const results = requests.map((): T | undefined => undefined);
  const next = [...requests];
  let open = requests.map((_, index) => index);
  let wasAttempted = false;
  for (let pause = 10; open.length > 0; pause = Math.min(pause * 2, 250)) {
    const left = deadline - monotonicNow();
    if (left > 0 && (await connection.whenConnected(left))) {
      const sent = open.map((index) => next[index] as Request);
      const replies = await askOnce(connection, sent, Math.max(1, deadline - monotonicNow()));
      open = open.filter((index, position) => {
        const reply = replies?.[position];
        if (reply === undefined) {
          if (replies !== undefined) next[index] = again(requests[index] as Request);
          wasAttempted ||= replies !== undefined;
        } else if (!hasNoResponders(reply)) results[index] = read(reply.json<PubAck>());
        return results[index] === undefined;
      });
      if (open.length === 0) break;
    }
    const rest = deadline - monotonicNow();
    if (rest <= 0) {
      if (wasAttempted || open.length < requests.length) return results;
      throw connection.unavailable("nobody took the messages. Is JetStream on?");
    }
    await wait(Math.min(rest, pause * (0.5 + Math.random() / 2)));
  }
  return results;
}

/** Undefined when nothing was sent. */
async function askOnce(
  connection: Connection,
  requests: readonly Request[],
  limit: number,
): Promise<readonly (Msg | undefined)[] | undefined> {
  try {
    return (await connection.ask(requests, limit)).replies;
  } catch (error) {
    if (isTaskferryError(error, "BROKER_UNAVAILABLE") && error.retryable) return undefined;
    throw error;
  }
}
