import { monotonicNow } from "@taskferry/core";
import type { Api } from "./api.ts";

/** Milliseconds for which a look at the server's clock holds. */
const goodFor = 60_000;

/** The clock of the server, by which it stamps messages. */
export class ServerClock {
  readonly #api: Api;
  readonly #stream: string;
  #offset: number | undefined;
  /** How long the answer took: by so much at most it is behind. */
  #lag = 0;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(api: Api, stream: string) {
    this.#api = api;
    this.#stream = stream;
  }

  /** Epoch milliseconds, never ahead of the server. Call {@link read} before. */
  now(): number {
    return monotonicNow() + (this.#offset ?? 0);
  }

  /** The same, never behind the server. */
  latest(): number {
    return this.now() + this.#lag;
  }

  /** Looks at the server's clock, unless that was done of late. Waits for the first look alone: an old one is good enough. */
  async read(): Promise<void> {
    if (monotonicNow() - this.#readAt < goodFor) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    if (this.#offset === undefined) await this.#reading;
    else this.#reading.catch(() => undefined);
  }

  /** The next read asks again: the server may be another one now. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  /** No call of JetStream tells the time, but a consumer says when it was made: one that lives for a moment. */
  async #read(): Promise<void> {
    const askedAt = monotonicNow();
    const { created } = await this.#api.call<{ readonly created: string }>(`CONSUMER.CREATE.${this.#stream}`, {
      stream_name: this.#stream,
      config: { ack_policy: "none", mem_storage: true, num_replicas: 1, inactive_threshold: 1_000_000_000 },
    });
    const answeredAt = monotonicNow();
    this.#offset = Date.parse(created) - answeredAt;
    this.#lag = answeredAt - askedAt;
    this.#readAt = answeredAt;
  }
}
