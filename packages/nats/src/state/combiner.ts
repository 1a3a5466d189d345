import { setTimeout as wait } from "node:timers/promises";
import type { Bucket } from "../bucket/bucket.ts";
import type { ServerClock } from "../clock.ts";
import type { Stored } from "../stored.ts";
import { isLive, ttlOf } from "./values.ts";

/** A change of a value: gets what stands, and says what is to stand and what its caller is answered. */
export type Change<T, TAnswer = unknown> = (
  value: T | undefined,
  now: number,
) => { readonly value: T | undefined; readonly answer: TAnswer };

/** What is kept, and for how long from now. */
export interface Codec<T> {
  readonly encode: (value: T) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => T;
  readonly ttl: (value: T, now: number) => number;
}

interface Waiting<T> {
  readonly change: Change<T>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Changes values by compare and set. Changes of one key in this process go together, in one write: so processes contend
 * for a hot key, and callers do not.
 */
export class Combiner<T> {
  readonly #bucket: Bucket;
  readonly #clock: ServerClock;
  readonly #codec: Codec<T>;
  readonly #waiting = new Map<string, Waiting<T>[]>();

  constructor(bucket: Bucket, clock: ServerClock, codec: Codec<T>) {
    this.#bucket = bucket;
    this.#clock = clock;
    this.#codec = codec;
  }

  async read(key: string): Promise<T | undefined> {
    const [stored] = await this.#bucket.read([key]);
    return this.#valueOf(stored);
  }

  apply<TAnswer>(key: string, change: Change<T, TAnswer>): Promise<TAnswer> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(key);
      const own: Waiting<T> = { change, resolve: (answer) => resolve(answer as TAnswer), reject };
      if (waiting !== undefined) waiting.push(own);
      else {
        this.#waiting.set(key, [own]);
        void this.#work(key);
      }
    });
  }

  async #work(key: string): Promise<void> {
    // Those of the same moment go along.
    await new Promise(setImmediate);
    for (let waiting = this.#waiting.get(key) ?? []; waiting.length > 0; waiting = this.#waiting.get(key) ?? []) {
      this.#waiting.set(key, []);
      try {
        const answers = await this.#writeAll(key, waiting);
        for (const [index, { resolve }] of waiting.entries()) resolve(answers[index]);
      } catch (error) {
        for (const { reject } of waiting) reject(error);
      }
    }
    this.#waiting.delete(key);
  }

  async #writeAll(key: string, waiting: readonly Waiting<T>[]): Promise<readonly unknown[]> {
    for (let pause = 1; ; pause = Math.min(pause * 2, 50)) {
      const [stored] = await this.#bucket.read([key]);
      const before = this.#valueOf(stored);
      const now = this.#clock.now();
      let value = before;
      const answers = waiting.map(({ change }) => {
        const changed = change(value, now);
        value = changed.value;
        return changed.answer;
      });
      if (value === before || value === undefined) return answers;
      const [written] = await this.#bucket.write([
        {
          key,
          value: this.#codec.encode(value),
          expected: stored?.sequence ?? 0,
          headers: ttlOf(this.#codec.ttl(value, now)),
        },
      ]);
      if (written !== "conflict") return answers;
      await wait(pause * Math.random());
    }
  }

  #valueOf(stored: Stored | undefined): T | undefined {
    if (stored === undefined || !isLive(stored, this.#clock.now())) return undefined;
    return this.#codec.decode(stored.bytes);
  }
}
