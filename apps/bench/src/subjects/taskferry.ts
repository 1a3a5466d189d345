import {
  type Client,
  type ConnectionConfig,
  createClient,
  createWorker,
  defineTask,
  silentLogger,
  type Worker,
} from "@taskferry/core";
import { type Course, countdown, type Payload, pump, type Setting, type Subject } from "../subject.ts";

const noop = defineTask<Payload, number>("noop");
const queues = (concurrency: number) => ({ default: { concurrency } });

/** taskferry on the broker that `url` names, results kept by its companion. */
export const taskferry: Subject = {
  enqueueOne: async ({ url, payload, ...course }) => {
    const client = await createClient({ broker: url });
    return { run: () => pump(course, () => client.enqueue(noop, payload)), close: () => client.close() };
  },
  enqueueMany: async ({ url, payload, ...course }) => {
    const client = await createClient({ broker: url });
    return { run: () => enqueueAll(client, course, payload), close: () => client.close() };
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
  enqueueOne: async ({ url, payload, ...course }) => {
    const client = await createClient({ broker: url, results: false });
    return { run: () => pump(course, () => client.enqueue(noop, payload)), close: () => client.close() };
  },
  enqueueMany: async ({ url, payload, ...course }) => {
    const client = await createClient({ broker: url, results: false });
    return { run: () => enqueueAll(client, course, payload), close: () => client.close() };
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
    await enqueueAll(client, { count: setting.count }, setting.payload);
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
  { concurrency, ...course }: Setting,
): { readonly done: Promise<void>; readonly worker: Worker } {
  const { done, tick } = countdown(course);
  const handler = noop.handler(async ({ text }) => {
    tick();
    return text.length;
  });
  return {
    done,
    worker: createWorker({ ...config, handlers: [handler], queues: queues(concurrency), logger: silentLogger }),
  };
}

async function enqueueAll(
  client: Pick<Client<false>, "enqueueMany">,
  { count, onWarm }: Course,
  payload: Payload,
): Promise<void> {
  const size = 1_000;
  const calls = Math.ceil(count / size);
  await pump({ count: calls, inFlight: 4, ...(onWarm && { onWarm }) }, (index) =>
    client.enqueueMany(
      noop,
      Array.from({ length: Math.min(size, count - index * size) }, () => payload),
    ),
  );
}
