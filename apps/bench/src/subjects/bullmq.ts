import { type ConnectionOptions, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { countdown, type Payload, pump, type Subject } from "../subject.ts";

const name = "bench";

/** BullMQ with results kept: jobs stay after they are completed, as they do by default. */
export const bullmq: Subject = {
  enqueueOne: async ({ url, payload, ...course }) => {
    const queue = new Queue<Payload>(name, { connection: connect(url) });
    await queue.waitUntilReady();
    return { run: () => pump(course, () => queue.add("noop", payload)), close: () => queue.close() };
  },
  enqueueMany: async ({ url, count, payload, onWarm }) => {
    const queue = new Queue<Payload>(name, { connection: connect(url) });
    await queue.waitUntilReady();
    const jobs = Array.from({ length: 100 }, () => ({ name: "noop", data: payload }));
    return {
      run: () => pump({ count: count / jobs.length, inFlight: 4, onWarm }, () => queue.addBulk(jobs)),
      close: () => queue.close(),
    };
  },
  process: async ({ url, concurrency, ...course }) => {
    const { done, tick } = countdown(course);
    const worker = new Worker<Payload>(name, async ({ data }) => data.text.length, {
      connection: connect(url),
      concurrency,
      autorun: false,
    });
    worker.on("completed", tick);
    await worker.waitUntilReady();
    return {
      run: async () => {
        void worker.run();
        await done;
      },
      close: () => worker.close(),
    };
  },
  roundTrip: async ({ url, concurrency, payload }) => {
    const queue = new Queue<Payload>(name, {
      connection: connect(url),
      defaultJobOptions: { removeOnComplete: 1_000 },
    });
    const events = new QueueEvents(name, { connection: connect(url) });
    const worker = new Worker<Payload>(name, async ({ data }) => data.text.length, {
      connection: connect(url),
      concurrency,
    });
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
    const once = async (): Promise<void> => {
      await (await queue.add("noop", payload)).waitUntilFinished(events);
    };
    return { once, close: async () => void (await Promise.all([worker.close(), events.close(), queue.close()])) };
  },
};

function connect(url: string): ConnectionOptions {
  return new Redis(url, { maxRetriesPerRequest: null });
}
