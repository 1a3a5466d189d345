import { expect, test } from "vitest";
import {
  createClient,
  createScheduler,
  createWorker,
  defineTask,
  type Logger,
  type Middleware,
  memory,
  silentLogger,
} from "../src/index.ts";

const job = defineTask("job");

class Listener implements Middleware {
  readonly name = "listener";
  readonly heard = new Set<string>();

  listen({ type }: { readonly type: string }): void {
    this.heard.add(type);
    throw new Error("a listener that throws harms nothing");
  }
}

test("a middleware hears what happens to its client, worker and scheduler", async () => {
  const broker = memory();
  const [ofClient, ofWorker, ofScheduler] = [new Listener(), new Listener(), new Listener()];
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, child: () => logger, error: (_, message) => void errors.push(message) };
  const client = await createClient({ broker, middlewares: [ofClient], logger });
  const worker = createWorker({ broker, handlers: [job.handler(() => undefined)], middlewares: [ofWorker], logger });
  await worker.start();
  const scheduler = createScheduler({ broker, middlewares: [ofScheduler], logger });
  await scheduler.start();
  await (await client.enqueue(job)).result({ timeout: "10s" });
  await scheduler.stop();
  await worker.close();
  await client.close();
  expect([...ofClient.heard]).toContain("task.enqueued");
  expect([...ofWorker.heard]).toEqual(
    expect.arrayContaining(["worker.started", "task.started", "task.succeeded", "worker.stopped"]),
  );
  expect([...ofScheduler.heard]).toEqual(expect.arrayContaining(["scheduler.started", "scheduler.stopped"]));
  expect(new Set(errors)).toEqual(
    new Set(["a listener of the client threw", "a listener of the worker threw", "a listener of the scheduler threw"]),
  );
});
