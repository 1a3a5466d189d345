import {
  type Client,
  createClient,
  createWorker,
  type Handler,
  type MemoryBroker,
  type Middleware,
  memory,
  type ProviderOverride,
  silentLogger,
  type Worker,
  type WorkerEvent,
  type WorkerOptions,
} from "@taskferry/core";
import { drain } from "./drain.ts";
import { type EnqueuedTask, recordEnqueues } from "./record-enqueues.ts";

export interface TestAppOptions
  extends Omit<WorkerOptions, "broker" | "handlers" | "middlewares" | "overrides" | "results" | "state"> {
  readonly handlers: readonly (Handler | string | URL)[];
  /** Values in the place of what providers make, such as `[db.override(fake)]`. */
  readonly overrides?: readonly ProviderOverride[];
  /** Of the client and of the worker. */
  readonly middlewares?: readonly Middleware[];
  /**
   * An enqueue resolves once its task has run: to its end, or to a retry. What is delayed does not run before its time.
   * Default false.
   */
  readonly inline?: boolean;
}

/** A client and a running worker on one memory broker, and what the client and the handlers have enqueued. */
export interface TestApp extends AsyncDisposable {
  readonly client: Client;
  readonly worker: Worker;
  readonly broker: MemoryBroker;
  readonly enqueued: readonly EnqueuedTask[];
  /** Resolves once nothing waits to be run and nothing runs; see `drain`. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Starts an application for one test; its worker does not report that it lives, unless `presence` is given. Close it, or let `await using` do so. */
export async function createTestApp({
  inline = false,
  middlewares = [],
  ...options
}: TestAppOptions): Promise<TestApp> {
  const broker = memory();
  const logger = options.logger ?? silentLogger;
  const recorder = recordEnqueues();
  const worker = createWorker({ presence: false, ...options, broker, middlewares: [...middlewares, recorder], logger });
  await worker.start();
  const own = inline ? [recorder, runInline(worker)] : [recorder];
  const client = await createClient({ ...options, broker, middlewares: [...middlewares, ...own], logger });
  const close = async (): Promise<void> => {
    await client.close();
    await worker.stop({ timeout: 0 });
  };
  return {
    client,
    worker,
    broker,
    enqueued: recorder.enqueued,
    drain: () => drain(worker, broker),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What may become of a task in a worker, once for each delivery. */
const ends: ReadonlySet<WorkerEvent["type"]> = new Set<WorkerEvent["type"]>([
  "task.cancelled",
  "task.failed",
  "task.limited",
  "task.lost",
  "task.rejected",
  "task.released",
  "task.repeated",
  "task.retrying",
  "task.succeeded",
]);

function runInline(worker: Worker): Middleware {
  return {
    name: "inline",
    enqueue: async (outgoing, next) => {
      if ((outgoing.delay ?? 0) > 0) return next(outgoing);
      let unsubscribe: () => void = () => undefined;
      const ended = new Promise<void>((resolve) => {
        unsubscribe = worker.on((event) => {
          if (ends.has(event.type) && "id" in event && event.id === outgoing.message.id) resolve();
        });
      });
      try {
        const result = await next(outgoing);
        if (result.status === "accepted") await ended;
        return result;
      } finally {
        unsubscribe();
      }
    },
  };
}
