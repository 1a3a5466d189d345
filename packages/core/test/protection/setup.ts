import { generateKeyPairSync } from "node:crypto";
import { onTestFinished } from "vitest";
import {
  type Broker,
  type Client,
  createClient,
  createWorker,
  encodeMessage,
  hmacKey,
  type MemoryBroker,
  type Message,
  memory,
  type QueueEntry,
  type ResultBackend,
  type Signatures,
  type StateStore,
  signatures,
  silentLogger,
  type Worker,
  type WorkerEvent,
  type WorkerOptions,
} from "../../src/index.ts";

export const secret = Buffer.alloc(32, "s");

export function oneSecret(options: Partial<Parameters<typeof signatures>[0]> = {}): Signatures {
  return signatures({ keys: [hmacKey("k1", secret)], ...options });
}

export function pair(): { readonly publicKey: string; readonly privateKey: string } {
  return generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

export interface Scene {
  readonly broker: MemoryBroker;
  readonly state: StateStore;
  readonly results: ResultBackend;
  client(options?: Partial<WorkerOptions>): Promise<Client>;
  worker(handlers: NonNullable<WorkerOptions["handlers"]>, options?: WorkerOptions): Promise<HeardWorker>;
  /** A message as its client made it, and taken off the queue again. */
  captured(client: Client, enqueue: () => Promise<unknown>): Promise<Message>;
}

export interface HeardWorker extends Worker {
  /** Resolves with the next event of a type that has not been handed out yet. */
  next<TType extends WorkerEvent["type"]>(type: TType): Promise<Extract<WorkerEvent, { type: TType }>>;
}

/** One memory broker, with clients and workers of their own configurations, closed when the test ends. */
export async function scene(shared: Partial<WorkerOptions> = {}): Promise<Scene> {
  const broker = memory();
  const results = broker.companions.results();
  const state = results.state?.() as StateStore;
  const parts = { broker, results, state, ...shared };
  const client = async (options: Partial<WorkerOptions> = {}): Promise<Client> => {
    const made = (await createClient({ ...parts, ...options })) as Client;
    onTestFinished(() => made.close());
    return made;
  };
  return {
    broker,
    state,
    results,
    client,
    worker: async (handlers, options = {}) => {
      const worker = createWorker({ ...parts, logger: silentLogger, ...options, handlers });
      onTestFinished(() => worker.stop({ timeout: 0 }));
      const heard = listen(worker);
      await worker.start();
      return heard;
    },
    captured: async (from, enqueue) => {
      await enqueue();
      const [entry] = (await from.queues.list("default", { section: "ready", limit: 1 })).entries;
      await from.queues.purge("default", "ready");
      return (entry as QueueEntry).message as Message;
    },
  };
}

function listen(worker: Worker): HeardWorker {
  const events: WorkerEvent[] = [];
  const waiting = new Set<() => void>();
  worker.on((event) => {
    events.push(event);
    for (const look of waiting) look();
  });
  const next = (type: WorkerEvent["type"]): Promise<WorkerEvent> =>
    new Promise((resolve) => {
      const look = (): void => {
        const at = events.findIndex((event) => event.type === type);
        if (at === -1) return;
        waiting.delete(look);
        resolve(events.splice(at, 1)[0] as WorkerEvent);
      };
      waiting.add(look);
      look();
    });
  return Object.assign(worker, { next }) as HeardWorker;
}

/** Puts a message into its queue as it is, as somebody who reaches the broker could. */
export async function inject(broker: Broker, message: Message): Promise<void> {
  const [result] = await broker.publish([{ message }], { timeout: 1_000 });
  if (result?.status !== "accepted") throw new Error(`Expected the message to be accepted, got ${result?.status}.`);
}

/** Every message that differs from `message` in one bit of one byte of its frame. */
export function flipped(message: Message): readonly Uint8Array[] {
  const bytes = encodeMessage(message);
  return Array.from(bytes, (byte, place) => {
    const changed = Uint8Array.from(bytes);
    changed[place] = byte ^ (1 << (place % 8));
    return changed;
  });
}
