import { createInbox, type Msg } from "@nats-io/transport-node";
import type { Connection } from "../connection.ts";
import { readAckSubject } from "../jetstream/ack-subject.ts";
import { nanoseconds } from "../streams.ts";
import type { Bucket } from "./bucket.ts";

interface ScanInfo {
  readonly name: string;
  readonly num_pending: number;
}

/** What stands under a key, without its value. */
export interface Found {
  readonly key: string;
  readonly sequence: number;
  /** Epoch milliseconds by the server's clock. */
  readonly storedAt: number;
  readonly header: (name: string) => string;
}

const batch = 1_000;
/** Milliseconds after which the server ends a request that it has nothing for. */
const longestPull = 1_000;

/** All that stands under keys that a filter fits, in the order in which it was stored: read by a consumer that lives for a moment. */
export async function scan(bucket: Bucket, connection: Connection, filter: string): Promise<readonly Found[]> {
  const { api, stream } = bucket;
  const { name, num_pending: count } = await api.call<ScanInfo>(`CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      ack_policy: "none",
      deliver_policy: "all",
      filter_subject: bucket.subjectOf(filter),
      headers_only: true,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: 10_000_000_000,
    },
  });
  try {
    const found: Found[] = [];
    while (found.length < count) {
      const messages = await pull(connection, api.subjectOf(`CONSUMER.MSG.NEXT.${stream}.${name}`));
      if (messages.length === 0) break;
      found.push(...messages.map((message) => toFound(bucket, message)));
      // What was removed meanwhile does not come, and servers up to 2.9 do not answer a request for it.
      if (found.length < count && (await isAtEnd(bucket, name))) break;
    }
    return found;
  } finally {
    // It ends by itself otherwise.
    await api.call(`CONSUMER.DELETE.${stream}.${name}`, undefined).catch(() => undefined);
  }
}

async function isAtEnd({ api, stream }: Bucket, name: string): Promise<boolean> {
  return (await api.call<ScanInfo>(`CONSUMER.INFO.${stream}.${name}`, undefined)).num_pending === 0;
}

/** Those that are there, up to a batch. */
function pull(connection: Connection, subject: string): Promise<readonly Msg[]> {
  return new Promise((resolve, reject) => {
    const inbox = createInbox(connection.inboxPrefix);
    const messages: Msg[] = [];
    const end = (fault: unknown): void => {
      clearTimeout(timer);
      if (!subscription.isClosed()) subscription.unsubscribe();
      if (fault === undefined) resolve(messages);
      else reject(fault);
    };
    const timer = setTimeout(() => end(connection.unavailable("a list was not answered")), connection.timeout);
    const subscription = connection.driver.subscribe(inbox, {
      callback: (error, message) => {
        if (error !== null) return end(connection.unavailable(error.message));
        if (message.reply) messages.push(message);
        if (!message.reply || messages.length === batch) end(undefined);
      },
    });
    connection.driver.publish(subject, JSON.stringify({ batch, no_wait: true, expires: longestPull * nanoseconds }), {
      reply: inbox,
    });
  });
}

function toFound(bucket: Bucket, { subject, reply = "", headers }: Msg): Found {
  const { sequence, storedAt } = readAckSubject(reply);
  return { key: bucket.keyOf(subject), sequence, storedAt, header: (name) => headers?.get(name) ?? "" };
}
