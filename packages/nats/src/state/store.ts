import {
  ClosedError,
  countedLifecycle,
  parseDuration,
  type StateChange,
  type StateDelete,
  type StateEntry,
  type StateKey,
  type StatePage,
  type StatePut,
  type StatePutResult,
  type StateStore,
} from "@taskferry/core";
import { Bucket } from "../bucket/bucket.ts";
import { ServerClock } from "../clock.ts";
import { Connection } from "../connection.ts";
import { type NatsStateOptions, readCount, readNamespace } from "../options.ts";
import { Combiner } from "./combiner.ts";
import { type Counter, counterCodec, increment } from "./counters.ts";
import { Entries, type PageOptions } from "./entries.ts";
import { subjectKey } from "./keys.ts";
import { add, live, type Members, remove, setCodec } from "./sets.ts";
import { Sweeper } from "./sweeper.ts";
import { StateWatches } from "./watches.ts";

/**
 * A state store on a key-value bucket of JetStream: the stream's numbers are the revisions, changes are pushed. NATS
 * 2.9.4 or later, alone or as a cluster.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function natsState(options: NatsStateOptions = {}): StateStore {
  return new NatsState(options);
}

class NatsState implements StateStore {
  readonly name = "nats-state";
  readonly contract = 1;
  readonly #connection: Connection;
  readonly #bucket: Bucket;
  readonly #clock: ServerClock;
  readonly #entries: Entries;
  readonly #counters: Combiner<Counter>;
  readonly #sets: Combiner<Members>;
  readonly #watches: StateWatches;
  readonly #sweeper: Sweeper;
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });

  constructor(options: NatsStateOptions) {
    const { replicas, storage, apiPrefix, sweepInterval } = options;
    const namespace = readNamespace(options);
    const announced = `${namespace}.state`;
    this.#connection = new Connection(options, { onConnected: () => this.#onConnected() });
    const connection = this.#connection;
    const bucket = new Bucket({
      connection,
      apiPrefix,
      name: `${namespace}_state`,
      announced: { keys: "e.>", at: `${announced}.e.>` },
      replicas: readCount("replicas", replicas),
      storage,
      maxAge: 0,
    });
    this.#bucket = bucket;
    this.#clock = new ServerClock(bucket.api, bucket.stream);
    const clock = this.#clock;
    this.#entries = new Entries({ connection, bucket, clock });
    this.#counters = new Combiner(bucket, clock, counterCodec);
    this.#sets = new Combiner(bucket, clock, setCodec);
    const list = (prefix: StateKey, page: PageOptions): Promise<StatePage> => this.#entries.list(prefix, page);
    this.#watches = new StateWatches({ connection, bucket, clock, announced, list });
    const interval = Math.max(1_000, parseDuration(sweepInterval ?? "1m", "sweepInterval"));
    this.#sweeper = new Sweeper({ connection, bucket, clock, interval });
  }

  connect(): Promise<void> {
    return this.#lifecycle.connect();
  }

  close(): Promise<void> {
    return this.#lifecycle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async get(keys: readonly StateKey[]): Promise<readonly (StateEntry | undefined)[]> {
    await this.#ready();
    return this.#entries.get(keys);
  }

  async put(entries: readonly StatePut[]): Promise<readonly StatePutResult[]> {
    await this.#ready();
    return this.#entries.put(entries);
  }

  async delete(entries: readonly StateDelete[]): Promise<readonly boolean[]> {
    await this.#ready();
    return this.#entries.delete(entries);
  }

  async list(prefix: StateKey, options: PageOptions): Promise<StatePage> {
    await this.#ready();
    return this.#entries.list(prefix, options);
  }

  watch(prefix: StateKey, signal: AbortSignal): AsyncIterable<StateChange> {
    return this.#watches.watch(prefix, signal);
  }

  async increment(
    key: StateKey,
    by: number,
    options: { readonly ttl: number; readonly ceiling?: number },
  ): Promise<{ readonly value: number; readonly added: boolean }> {
    await this.#ready();
    return this.#counters.apply(subjectKey("c", key), increment(by, options));
  }

  async add(
    set: StateKey,
    names: readonly string[],
    options: { readonly ttl: number; readonly max?: number },
  ): Promise<{ readonly added: readonly string[]; readonly size: number }> {
    await this.#ready();
    return this.#sets.apply(subjectKey("s", set), add(names, options));
  }

  async remove(set: StateKey, names: readonly string[]): Promise<{ readonly removed: number; readonly size: number }> {
    await this.#ready();
    return this.#sets.apply(subjectKey("s", set), remove(names));
  }

  async members(set: StateKey): Promise<readonly string[]> {
    await this.#ready();
    const members = await this.#sets.read(subjectKey("s", set));
    return [...live(members, this.#clock.now()).keys()];
  }

  async #open(): Promise<void> {
    await this.#connection.open();
    try {
      await this.#bucket.open();
      await this.#clock.read();
    } catch (error) {
      await this.#connection.close();
      throw error;
    }
    this.#sweeper.start();
  }

  async #shut(): Promise<void> {
    this.#sweeper.stop();
    this.#watches.close(new ClosedError("The state store nats-state"));
    await this.#connection.close();
  }

  /** Times are told by the server's clock. */
  async #ready(): Promise<void> {
    if (!this.#lifecycle.isOpen()) throw new ClosedError("The state store nats-state");
    await this.#clock.read();
  }

  #onConnected(): void {
    this.#clock.forget();
    this.#watches.restartAll();
  }
}
