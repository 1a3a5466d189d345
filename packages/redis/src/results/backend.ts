import {
  ClosedError,
  countedLifecycle,
  ownOrigin,
  type ResultBackend,
  type StoredOutcome,
  type WaitOptions,
} from "@taskferry/core";
import { Connection } from "../connection.ts";
import { allInLanes } from "../in-lanes.ts";
import type { RedisConnectionOptions } from "../options.ts";
import { packList } from "../packed-list.ts";
import { redisState } from "../state/store.ts";
import { inBatches, OutcomeKeys } from "./outcome-keys.ts";
import { store } from "./scripts.ts";
import { fromValue, maxOutcomeBytes, toValue } from "./stored-value.ts";
import { WaitingRoom } from "./waiting-room.ts";

/**
 * A result backend on Redis: a key for each outcome, pushed to who waits through pub/sub. Redis 6.2 or later, Sentinel
 * and Cluster.
 */
export function redisResults(options: RedisConnectionOptions = {}): ResultBackend {
  return new RedisResults(options);
}

class RedisResults implements ResultBackend {
  readonly name = "redis-results";
  readonly contract = 1;
  readonly capabilities = { durable: true, shared: true, maxOutcomeBytes };
  readonly state = () => redisState(this.#options);
  readonly #options: RedisConnectionOptions;
  readonly #keys: OutcomeKeys;
  readonly #commands: Connection;
  readonly #subscriber: Connection;
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });
  #room: WaitingRoom | undefined;

  constructor(options: RedisConnectionOptions) {
    this.#options = options;
    this.#keys = new OutcomeKeys(options.namespace ?? "taskferry");
    this.#commands = new Connection(options, { role: "commands", scripts: [store] });
    this.#subscriber = new Connection(options, { role: "subscriber", onConnected: () => this.#room?.resubscribe() });
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

  async store(outcomes: readonly StoredOutcome[]): Promise<readonly StoredOutcome[]> {
    const winners = [...outcomes];
    const values = outcomes.map(toValue);
    const ids = outcomes.map(({ id }) => id);
    const bytesOf = (index: number): number => (values[index] as Buffer).length;
    await allInLanes(inBatches(ids, this.#commands.isCluster, bytesOf), async (indexes) => {
      const answers = await this.#commands.run<readonly Buffer[]>(store, {
        keys: indexes.map((index) => this.#keys.keyOf((outcomes[index] as StoredOutcome).id)),
        args: [
          this.#keys.channelOf(""),
          this.#announcesByProcess ? this.#keys.originPrefix : "",
          packList(indexes.flatMap((index) => storeItems(outcomes[index] as StoredOutcome, values[index] as Buffer))),
        ],
      });
      indexes.forEach((index, position) => {
        const standing = answers[position];
        if (standing !== undefined && standing.length > 0) winners[index] = fromValue(standing);
      });
    });
    return winners;
  }

  async get(ids: readonly string[]): Promise<readonly (StoredOutcome | undefined)[]> {
    const values = await this.#read(ids);
    return values.map((value) => (value === undefined ? undefined : fromValue(value)));
  }

  async wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    if (this.#room === undefined) throw closed();
    return this.#room.wait(id, options);
  }

  async delete(ids: readonly string[]): Promise<number> {
    this.#room?.forget(ids);
    let removed = 0;
    await allInLanes(inBatches(ids, this.#commands.isCluster), async (indexes) => {
      const keys = indexes.map((index) => this.#keys.keyOf(ids[index] as string));
      const count = await this.#commands.call<number>((client) => client.unlink(...keys));
      removed += count;
    });
    return removed;
  }

  async #read(ids: readonly string[]): Promise<readonly (Buffer | undefined)[]> {
    const found: (Buffer | undefined)[] = ids.map(() => undefined);
    await allInLanes(inBatches(ids, this.#commands.isCluster), async (indexes) => {
      const keys = indexes.map((index) => this.#keys.keyOf(ids[index] as string));
      const values = await this.#commands.call<readonly (Buffer | null)[]>((client) => client.mgetBuffer(...keys));
      indexes.forEach((index, position) => {
        found[index] = values[position] ?? undefined;
      });
    });
    return found;
  }

  /** In a cluster each announcement goes to all nodes: one must do. */
  get #announcesByProcess(): boolean {
    return !this.#commands.isCluster;
  }

  async #open(): Promise<void> {
    await Promise.all([this.#commands.open(), this.#subscriber.open()]).catch((error: unknown) => {
      this.#commands.close();
      this.#subscriber.close();
      throw error;
    });
    const room = new WaitingRoom({
      subscriber: this.#subscriber,
      channelOf: (id) => this.#keys.channelOf(id),
      idOf: (channel) => this.#keys.idOf(channel),
      ownChannel: this.#announcesByProcess ? this.#keys.originPrefix + ownOrigin() : undefined,
      read: (ids) => this.#read(ids),
    });
    this.#subscriber.client.on("messageBuffer", (channel: Buffer, value: Buffer) =>
      room.hear(channel.toString(), value),
    );
    this.#room = room;
  }

  async #shut(): Promise<void> {
    this.#room?.close(closed());
    this.#room = undefined;
    this.#commands.close();
    this.#subscriber.close();
  }
}

function storeItems({ run, ttl }: StoredOutcome, value: Buffer): readonly (string | Buffer)[] {
  return [String(run), String(Math.max(1, ttl)), value];
}

function closed(): ClosedError {
  return new ClosedError("The result backend redis-results");
}
