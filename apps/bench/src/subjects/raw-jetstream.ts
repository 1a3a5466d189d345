import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { countdown, type Payload, pump, type Subject } from "../subject.ts";

const stream = "RAW";
const subject = "raw.tasks";
const durable = "workers";

/** What the client of NATS does by itself: its `publish` and its `consume` with acks. No results, no retries, no leases. */
export const rawJetStream: Subject = {
  enqueueOne: async ({ url, payload, ...course }) => {
    const connection = await open(url);
    const js = jetstream(connection);
    const bytes = Buffer.from(JSON.stringify(payload));
    const publish = (index: number): Promise<unknown> => js.publish(subject, bytes, { msgID: `${index}` });
    return { run: () => pump(course, publish), close: () => connection.close() };
  },
  enqueueMany: async ({ url, payload, ...course }) => {
    const connection = await open(url);
    const js = jetstream(connection);
    const bytes = Buffer.from(JSON.stringify(payload));
    const publish = (index: number): Promise<unknown> => js.publish(subject, bytes, { msgID: `${index}` });
    return { run: () => pump(course, publish), close: () => connection.close() };
  },
  process: async ({ url, count, onWarm }) => {
    const connection = await open(url);
    const consumer = await jetstream(connection).consumers.get(stream, durable);
    return {
      run: async () => {
        const messages = await consumer.consume({ max_messages: 1_000 });
        const { tick } = countdown({ count, onWarm });
        let left = count;
        for await (const message of messages) {
          handle(message.string());
          message.ack();
          tick();
          left -= 1;
          if (left === 0) break;
        }
        await connection.flush();
      },
      close: () => connection.close(),
    };
  },
  roundTrip: async ({ url, payload }) => {
    const [client, server] = [await open(url), await open(url)];
    const consumer = await jetstream(server).consumers.get(stream, durable);
    const messages = await consumer.consume({ max_messages: 100 });
    const serving = (async () => {
      for await (const message of messages) {
        server.publish("raw.replies", handle(message.string()));
        message.ack();
      }
    })();
    const js = jetstream(client);
    const replies = client.subscribe("raw.replies")[Symbol.asyncIterator]();
    const once = async (): Promise<void> => {
      await Promise.all([js.publish(subject, JSON.stringify(payload)), replies.next()]);
    };
    const close = async (): Promise<void> => {
      await messages.close();
      await serving;
      await Promise.all([client.close(), server.close()]);
    };
    return { once, close };
  },
};

function handle(message: string): string {
  return String((JSON.parse(message) as Payload).text.length);
}

async function open(url: string): Promise<NatsConnection> {
  const connection = await connect({ servers: new URL(url).host });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: stream, subjects: [subject], retention: RetentionPolicy.Workqueue });
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 10_000,
  });
  return connection;
}
