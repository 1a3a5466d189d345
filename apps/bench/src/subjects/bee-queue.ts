import BeeQueue from "bee-queue";
import { countdown, type Payload, pump, type Subject } from "../subject.ts";

const name = "bench";

/** bee-queue with results kept. What a phase does not need is off, as its documentation advises for speed. */
export const beeQueue: Subject = {
  enqueueOne: async ({ url, payload, ...course }) => {
    const queue = new BeeQueue<Payload>(name, {
      redis: { url },
      isWorker: false,
      getEvents: false,
      sendEvents: false,
      storeJobs: false,
    });
    await queue.ready();
    return { run: () => pump(course, () => queue.createJob(payload).save()), close: () => queue.close() };
  },
  enqueueMany: async ({ url, count, payload, onWarm }) => {
    const queue = new BeeQueue<Payload>(name, {
      redis: { url },
      isWorker: false,
      getEvents: false,
      sendEvents: false,
      storeJobs: false,
    });
    await queue.ready();
    const size = 100;
    const saveMany = (): Promise<unknown> =>
      queue.saveAll(Array.from({ length: size }, () => queue.createJob(payload)));
    return { run: () => pump({ count: count / size, inFlight: 4, onWarm }, saveMany), close: () => queue.close() };
  },
  process: async ({ url, concurrency, ...course }) => {
    const { done, tick } = countdown(course);
    const queue = new BeeQueue<Payload>(name, {
      redis: { url },
      getEvents: false,
      sendEvents: false,
      storeJobs: false,
    });
    await queue.ready();
    queue.on("succeeded", tick);
    return {
      run: async () => {
        queue.process(concurrency, async ({ data }: BeeQueue.Job<Payload>) => data.text.length);
        await done;
      },
      close: () => queue.close(),
    };
  },
  roundTrip: async ({ url, concurrency, payload }) => {
    const producer = new BeeQueue<Payload>(name, { redis: { url }, isWorker: false });
    const worker = new BeeQueue<Payload>(name, { redis: { url }, getEvents: false, storeJobs: false });
    await Promise.all([producer.ready(), worker.ready()]);
    worker.process(concurrency, async ({ data }: BeeQueue.Job<Payload>) => data.text.length);
    const once = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const job = producer.createJob(payload);
        job.on("succeeded", () => resolve());
        job.save().catch(reject);
      });
    return { once, close: async () => void (await Promise.all([producer.close(), worker.close()])) };
  },
};
