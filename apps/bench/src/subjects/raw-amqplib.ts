import { type Channel, type ChannelModel, connect } from "amqplib";
import { countdown, type Payload, type Phase, type Subject } from "../subject.ts";

const queue = "raw";
const replies = "raw:replies";
const quorum = { durable: true, arguments: { "x-queue-type": "quorum" } };
const prefetch = 1_000;
const acknowledged = 100;

/** Publishes with confirms, so many under way at once. */
const publish: Phase = async ({ url, count, inFlight, payload, onWarm }) => {
  const model = await dial(url);
  const channel = await model.createConfirmChannel();
  await channel.assertQueue(queue, quorum);
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const { tick } = countdown({ count, onWarm });
      let sent = 0;
      let confirmed = 0;
      const fill = (): void => {
        while (sent < count && sent - confirmed < inFlight) {
          sent += 1;
          channel.sendToQueue(queue, toBytes(payload), { persistent: true }, onConfirm);
        }
      };
      const onConfirm = (error: unknown): void => {
        if (error !== null) return reject(error);
        confirmed += 1;
        tick();
        if (confirmed === count) resolve();
        else fill();
      };
      fill();
    });
  return { run, close: () => model.close() };
};

/** What amqplib and a quorum queue can do with confirms and acknowledgements, and nothing else: no retries, no recovery. */
export const rawAmqplib: Subject = {
  enqueueOne: publish,
  enqueueMany: publish,
  process: async ({ url, ...course }) => {
    const model = await dial(url);
    const channel = await model.createChannel();
    await channel.prefetch(prefetch);
    const { done, tick } = countdown(course);
    let waiting = 0;
    const run = async (): Promise<void> => {
      await channel.consume(queue, (message) => {
        if (message === null) return;
        handle(message.content);
        waiting += 1;
        if (waiting === acknowledged) {
          channel.ack(message, true);
          waiting = 0;
        }
        tick();
      });
      await done;
      if (waiting > 0) channel.ackAll();
      // Its answer comes after the acknowledgements were carried out.
      await channel.prefetch(prefetch);
    };
    return { run, close: () => model.close() };
  },
  roundTrip: async ({ url, payload }) => {
    const [client, server] = [await dial(url), await dial(url)];
    const requests = await client.createConfirmChannel();
    await requests.assertQueue(queue, quorum);
    await serve(await server.createChannel());
    let onReply: () => void = () => undefined;
    const listening = await client.createChannel();
    await listening.assertQueue(replies, { exclusive: true });
    await listening.consume(replies, () => onReply(), { noAck: true });
    const once = (): Promise<void> =>
      new Promise((resolve) => {
        onReply = resolve;
        requests.sendToQueue(queue, toBytes(payload), { persistent: true });
      });
    return { once, close: async () => void (await Promise.all([client.close(), server.close()])) };
  },
};

async function serve(channel: Channel): Promise<void> {
  await channel.prefetch(prefetch);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    channel.sendToQueue(replies, Buffer.from(handle(message.content)));
    channel.ack(message);
  });
}

function handle(content: Buffer): string {
  return String((JSON.parse(content.toString()) as Payload).text.length);
}

function toBytes(payload: Payload): Buffer {
  return Buffer.from(JSON.stringify(payload));
}

function dial(url: string): Promise<ChannelModel> {
  return connect(url, { noDelay: true });
}
