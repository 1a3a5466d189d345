import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import {
  type Client,
  createClient,
  createWorker,
  defineTask,
  isTaskferryError,
  monotonicNow,
  silentLogger,
} from "@taskferry/core";
import { expect, onTestFinished, test } from "vitest";
import { rabbitmq } from "../src/index.ts";
import { privateRabbitmq } from "./harness.ts";

const isSoak = process.env.TASKFERRY_SOAK === "1";
const rabbit = isSoak ? privateRabbitmq() : undefined;

/** Milliseconds of the alarm, and from its end until work goes on. */
const alarm = 20_000;
const resumeLimit = 10_000;
const publishTimeout = 1_000;
const work = defineTask<number>("work", { queue: "q" });

test.runIf(isSoak)(
  "a memory alarm of 20 seconds under load loses nothing, and all goes on",
  {
    timeout: 180_000,
  },
  async () => {
    const server = rabbit?.current();
    if (server === undefined) throw new Error("a server was expected");
    const namespace = `t${randomUUID()}`;
    const broker = () => rabbitmq({ url: server.url, namespace, commandTimeout: "2s" });
    const done = new Ids();
    const handler = work.handler((milliseconds) => wait(milliseconds));
    const queues = { q: { concurrency: 20 } };
    const worker = createWorker({
      broker: broker(),
      results: false,
      handlers: [handler],
      queues,
      logger: silentLogger,
    });
    worker.on((event) => {
      if (event.type === "task.succeeded") done.add(event.id);
    });
    onTestFinished(() => worker.close());
    const client = await createClient({ broker: broker(), results: false, publishTimeout });
    onTestFinished(() => client.close());
    await worker.start();
    const producer = new Producer(client);
    await done.reach(200);

    await server.control("set_vm_memory_high_watermark", "0.0001");
    const before = [...producer.accepted];
    await wait(alarm);
    expect(producer.refused, "calls that were told that nothing is taken for now").toBeGreaterThan(10);
    expect(producer.longest, "milliseconds of the longest call").toBeLessThan(4 * publishTimeout);
    expect(done.lacking(before), "tasks from before the alarm that are not done").toEqual([]);
    await server.control("set_vm_memory_high_watermark", "0.4");
    const back = monotonicNow();
    await done.reach(done.size + 200);
    expect(monotonicNow() - back, "milliseconds until work goes on").toBeLessThan(resumeLimit);

    await producer.end();
    await done.all(producer.accepted);
    await worker.close();
    // What is not acknowledged is kept by its queue.
    const queuesLeft = await server.control("-q", "list_queues", "name", "messages");
    expect(queuesLeft.split("\n").filter((line) => /:q(:low|:high)?\t[1-9]/.test(line))).toEqual([]);
  },
);

/** Ids that come in, and who waits for them. */
class Ids {
  readonly #ids = new Set<string>();
  readonly #waiters = new Set<() => void>();

  get size(): number {
    return this.#ids.size;
  }

  add(id: string): void {
    this.#ids.add(id);
    for (const look of this.#waiters) look();
  }

  lacking(ids: readonly string[]): readonly string[] {
    return ids.filter((id) => !this.#ids.has(id));
  }

  reach(count: number): Promise<void> {
    return this.#until(() => this.size >= count);
  }

  all(ids: readonly string[]): Promise<void> {
    return this.#until(() => this.lacking(ids).length === 0);
  }

  #until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
      look();
    });
  }
}

/** Enqueues without a pause, ten calls at a time. */
class Producer {
  readonly accepted: string[] = [];
  refused = 0;
  longest = 0;
  readonly #client: Client<false>;
  readonly #ended = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(client: Client<false>) {
    this.#client = client;
    this.#running = Promise.all(Array.from({ length: 10 }, (_, lane) => this.#run(lane)));
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(lane: number): Promise<void> {
    for (let index = 0; !this.#ended.signal.aborted; index += 1) {
      const id = `${lane}-${index}`;
      const since = monotonicNow();
      try {
        await this.#client.enqueue(work, 5 + (index % 16), { id });
        this.accepted.push(id);
      } catch (error) {
        if (!isTaskferryError(error, "BROKER_UNAVAILABLE")) throw error;
        this.refused += 1;
      }
      this.longest = Math.max(this.longest, monotonicNow() - since);
    }
  }
}
