import {
  ClosedError,
  countedLifecycle,
  ownOrigin,
  type ResultBackend,
  type StoredOutcome,
  type WaitOptions,
} from "@taskferry/core";
import { Bucket } from "../bucket/bucket.ts";
import { ServerClock } from "../clock.ts";
import { Connection } from "../connection.ts";
import { type NatsResultsOptions, readCount, readNamespace } from "../options.ts";
import { natsState } from "../state/store.ts";
import type { Stored } from "../stored.ts";
import { keyOf, standing, toValue } from "./outcome-values.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** Milliseconds for which the server keeps outcomes where nobody asked for more: the default of `resultTtl`, and an hour. */
const firstMaxAge = 25 * 3_600_000;
const defaultMaxOutcomeBytes = 1024 * 1024 - 1024;

/**
 * A result backend on a key-value bucket of JetStream, pushed to who waits. NATS 2.9.4 or later, alone or as a cluster.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`.
 */
export function natsResults(options: NatsResultsOptions = {}): ResultBackend {
  return new NatsResults(options);
}

class NatsResults implements ResultBackend {
  readonly name = "nats-results";
  readonly contract = 1;
  readonly capabilities: ResultBackend["capabilities"];
  readonly state = () => natsState(this.#options);
  readonly #options: NatsResultsOptions;
  readonly #connection: Connection;
  readonly #bucket: Bucket;
  readonly #clock: ServerClock;
  readonly #announced: string;
  readonly #lifecycle = countedLifecycle({ open: () => this.#open(), shut: () => this.#shut() });
  #room: WaitingRoom | undefined;

  constructor(options: NatsResultsOptions) {
    const { replicas, storage, apiPrefix, maxOutcomeBytes } = options;
    const namespace = readNamespace(options);
    this.#options = options;
    this.#announced = `${namespace}.outcome`;
    this.capabilities = {
      durable: storage !== "memory",
      shared: true,
      maxOutcomeBytes: readCount("maxOutcomeBytes", maxOutcomeBytes) ?? defaultMaxOutcomeBytes,
    };
    this.#connection = new Connection(options, { onConnected: () => this.#onConnected() });
    this.#bucket = new Bucket({
      connection: this.#connection,
      apiPrefix,
      name: `${namespace}_results`,
      announced: { keys: ">", at: `${this.#announced}.>` },
      replicas: readCount("replicas", replicas),
      storage,
      maxAge: firstMaxAge,
    });
    this.#clock = new ServerClock(this.#bucket.api, this.#bucket.stream);
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
    const values = outcomes.map((outcome) => toValue(outcome, this.capabilities.maxOutcomeBytes));
    if (outcomes.length > 0) await this.#bucket.keepFor(Math.max(...outcomes.map(({ ttl }) => ttl)));
    const winners = [...outcomes];
    let open = outcomes.map((_, index) => ({ index, expected: 0 }));
    while (open.length > 0) {
      const written = await this.#bucket.write(
        open.map(({ index, expected }) => ({
          key: keyOf((outcomes[index] as StoredOutcome).id),
          value: values[index] as Uint8Array,
          expected,
          isRepeatable: true,
        })),
      );
      const met = open.filter((_, position) => written[position] === "conflict");
      const found = await this.#bucket.read(met.map(({ index }) => keyOf((outcomes[index] as StoredOutcome).id)));
      open = met.flatMap(({ index }, position) => {
        const stored = found[position];
        const given = outcomes[index] as StoredOutcome;
        const other = standing(stored, this.#clock.now());
        if (other === undefined || other.run < given.run) return [{ index, expected: stored?.sequence ?? 0 }];
        // The same value is the same store again, its answer lost.
        if (!isSame(stored, values[index])) winners[index] = other;
        return [];
      });
    }
    return winners;
  }

  async get(ids: readonly string[]): Promise<readonly (StoredOutcome | undefined)[]> {
    const stored = await this.#bucket.read(ids.map(keyOf));
    await this.#clock.read();
    return stored.map((one) => standing(one, this.#clock.now()));
  }

  async wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    if (this.#room === undefined) throw closed();
    return this.#room.wait(id, options);
  }

  async delete(ids: readonly string[]): Promise<number> {
    this.#room?.forget(ids);
    const stored = await this.#bucket.read(ids.map(keyOf));
    const live = new Set(stored.flatMap((one) => (one === undefined ? [] : [one.sequence])));
    const removed = await Promise.all([...live].map((sequence) => this.#bucket.remove(sequence)));
    return removed.filter(Boolean).length;
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
    this.#room = new WaitingRoom({
      connection: this.#connection,
      subjectOf: (id) => `${this.#announced}.${keyOf(id)}`,
      ownSubject: `${this.#announced}.${ownOrigin()}.*`,
      read: (ids) => this.get(ids),
    });
  }

  async #shut(): Promise<void> {
    this.#room?.close(closed());
    this.#room = undefined;
    await this.#connection.close();
  }

  #onConnected(): void {
    this.#clock.forget();
    this.#room?.lookAgain();
  }
}

function isSame(stored: Stored | undefined, value: Uint8Array | undefined): boolean {
  return stored !== undefined && value !== undefined && Buffer.compare(stored.bytes, value) === 0;
}

function closed(): ClosedError {
  return new ClosedError("The result backend nats-results");
}
