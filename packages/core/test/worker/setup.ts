import { onTestFinished, vi } from "vitest";
import {
  type Broker,
  type Client,
  createClient,
  createWorker,
  type Handler,
  memory,
  silentLogger,
  type Worker,
  type WorkerEvent,
  type WorkerOptions,
} from "../../src/index.ts";

export interface Stage {
  readonly broker: Broker;
  readonly client: Client<true>;
  readonly worker: Worker;
  /** Everything the worker told so far. */
  readonly events: readonly WorkerEvent[];
  /** Resolves with the first event of a type, past or to come, that `matches`. */
  seen<TType extends WorkerEvent["type"]>(
    type: TType,
    matches?: (event: Extract<WorkerEvent, { type: TType }>) => boolean,
  ): Promise<Extract<WorkerEvent, { type: TType }>>;
}

/** A client and a worker on one memory broker, closed when the test ends. */
export async function stage(
  handlers: readonly (Handler | URL)[],
  options: Omit<WorkerOptions, "handlers"> & { readonly start?: boolean } = {},
): Promise<Stage> {
  const broker = (options.broker as Broker | undefined) ?? memory();
  const { start = true, ...rest } = options;
  const client = await createClient({ broker });
  const worker = createWorker({
    logger: silentLogger,
    shutdown: { timeout: "1s", grace: "100ms" },
    ...rest,
    broker,
    handlers,
  });
  const events: WorkerEvent[] = [];
  const waiters = new Set<() => void>();
  worker.on((event) => {
    events.push(event);
    for (const waiter of waiters) waiter();
  });
  onTestFinished(async () => {
    await worker.stop({ timeout: 0 });
    await client.close();
  });
  if (start) await worker.start();
  const seen: Stage["seen"] = (type, matches = () => true) =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = events.find(
          (event): event is Extract<WorkerEvent, { type: typeof type }> =>
            event.type === type && matches(event as never),
        );
        if (found === undefined) return;
        waiters.delete(look);
        resolve(found);
      };
      waiters.add(look);
      look();
    });
  return { broker, client, worker, events, seen };
}

/** A promise and the way to resolve it. */
export function gate<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Repeats a check until it holds: for what no event tells of. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 20_000 });
}
