import {
  type Client,
  type ConnectionConfig,
  createClient,
  createWorker,
  defineTask,
  silentLogger,
  type Worker,
} from "@taskferry/core";
import { countdown, type Payload, pump, type Setting, type Subject } from "../subject.ts";

const noop = defineTask<Payload, number>("noop");
const queues = (concurrency: number) => ({ default: { concurrency } });

/** taskferry on the broker that `url` names, results kept by its companion. */
export const taskferry: Subject = {
  enqueueOne: async ({ url, count, inFlight, payload }) => {
    const client = await createClient({ broker: url });
    return { run: () => pump(count, inFlight, () => client.enqueue(noop, payload)), close: () => client.close() };
  },
  enqueueMany: async ({ url, count, payload }) => {
    const client = await createClient({ broker: url });
    return { run: () => enqueueAll(client, count, payload), close: () => client.close() };
  },
  process: async (setting) => {
    const { done, worker } = createNoopWorker({ broker: setting.url }, setting);
    return {
      run: async () => {
        await worker.start();
        await done;
        // A stop ends when every outcome is stored and every delivery settled.
        await worker.stop();
      },
      close: () => worker.stop(),
    };
  },
  roundTrip: async ({ url, concurrency, payload }) => {
    const worker = createWorker({
      broker: url,
      handlers: [noop.handler(({ text }) => text.length)],
      queues: queues(concurrency),
      logger: silentLogger,
    });
    await worker.start();
    const client = await createClient({ broker: url });
    const once = async (): Promise<void> => {
      await (await client.enqueue(noop, payload)).result();
    };
    return { once, close: async () => void (await Promise.all([client.close(), worker.stop()])) };
  },
};

/** The same with no results, as the raw clients have none. */
export const taskferryWithoutResults: Subject = {
  enqueueOne: async ({ url, count, inFlight, payload }) => {
    const client = await createClient({ broker: url, results: false });
    return { run: () => pump(count, inFlight, () => client.enqueue(noop, payload)), close: () => client.close() };
  },
  enqueueMany: async ({ url, count, payload }) => {
    const client = await createClient({ broker: url, results: false });
    return { run: () => enqueueAll(client, count, payload), close: () => client.close() };
  },
  process: async (setting) => {
    const { done, worker } = createNoopWorker({ broker: setting.url, results: false }, setting);
    return {
      run: async () => {
        await worker.start();
        await done;
        await worker.stop();
      },
      close: () => worker.stop(),
    };
  },
};

/**
 * RabbitMQ keeps no results: the client of a round trip gets its own pushed, and where throughput is measured, there are
 * none.
 */
export const taskferryRabbitmq: Subject = { ...taskferry, ...taskferryWithoutResults };

/** The memory broker lives in one process: what waits is enqueued before the clock starts. */
export const taskferryMemory: Subject = {
  ...taskferry,
  process: async (setting) => {
    const client = await createClient({ broker: setting.url });
    await enqueueAll(client, setting.count, setting.payload);
    const { done, worker } = createNoopWorker({ broker: setting.url }, setting);
    return {
      run: async () => {
        await worker.start();
        await done;
        await worker.stop();
      },
      close: () => client.close(),
    };
  },
};

function createNoopWorker(
  config: ConnectionConfig,
  { count, concurrency }: Setting,
): { readonly done: Promise<void>; readonly worker: Worker } {
  const { done, tick } = countdown(count);
  const handler = noop.handler(async ({ text }) => {
    tick();
    return text.length;
  });
  return {
    done,
    worker: createWorker({ ...config, handlers: [handler], queues: queues(concurrency), logger: silentLogger }),
  };
}

async function enqueueAll(client: Pick<Client<false>, "enqueueMany">, count: number, payload: Payload): Promise<void> {
  const size = 1_000;
  const calls = Math.ceil(count / size);
  await pump(calls, 4, (index) =>
    client.enqueueMany(
      noop,
      Array.from({ length: Math.min(size, count - index * size) }, () => payload),
    ),
  );
}
