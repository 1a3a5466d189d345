import type { Api } from "../api.ts";
import { apiErrors, isApiError, isGone } from "../faults.ts";
import { fromReply, type Stored, type StoredReply } from "../stored.ts";

/** Deletions under way at once. */
const lanes = 64;

/** Messages of a stream, read and removed one by one, by their numbers. */
export class StoredMessages {
  readonly #api: Api;
  readonly #stream: string;

  constructor(api: Api, stream: string) {
    this.#api = api;
    this.#stream = stream;
  }

  /** The first message from a number on whose subject fits. */
  next(from: number, filter: string): Promise<Stored | undefined> {
    return this.#get({ seq: Math.max(1, from), next_by_subj: filter });
  }

  /** The one message of a subject that has one at most. */
  on(subject: string): Promise<Stored | undefined> {
    return this.#get({ last_by_subj: subject });
  }

  at(sequence: number): Promise<Stored | undefined> {
    return this.#get({ seq: sequence });
  }

  /** All from a number on, in their order. */
  async *from(first: number, filter: string): AsyncGenerator<Stored> {
    for (let stored = await this.next(first, filter); stored !== undefined; ) {
      yield stored;
      stored = await this.next(stored.sequence + 1, filter);
    }
  }

  /** How many there were. */
  async remove(sequences: readonly number[]): Promise<number> {
    let removed = 0;
    const waiting = sequences[Symbol.iterator]();
    const lane = async (): Promise<void> => {
      for (const sequence of waiting) if (await this.#removeOne(sequence)) removed += 1;
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return removed;
  }

  async #get(body: object): Promise<Stored | undefined> {
    try {
      return fromReply(await this.#api.call<StoredReply>(`STREAM.MSG.GET.${this.#stream}`, body));
    } catch (error) {
      if (isApiError(error, apiErrors.messageNotFound, apiErrors.streamNotFound)) return undefined;
      throw error;
    }
  }

  async #removeOne(sequence: number): Promise<boolean> {
    try {
      await this.#api.call(`STREAM.MSG.DELETE.${this.#stream}`, { seq: sequence, no_erase: true });
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }
}

/** Two lists of messages as one, in the order of their numbers. */
export async function* inOrder(left: AsyncGenerator<Stored>, right: AsyncGenerator<Stored>): AsyncGenerator<Stored> {
  let [a, b] = await Promise.all([left.next(), right.next()]);
  while (!a.done || !b.done) {
    const isLeft = b.done === true || (a.done !== true && a.value.sequence < b.value.sequence);
    yield (isLeft ? a : b).value as Stored;
    if (isLeft) a = await left.next();
    else b = await right.next();
  }
}
