import type { StoredOutcome } from "@taskferry/core";
import { TurnoverMap } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { createBatchedCalls } from "./batched-calls.ts";
import { tryFromValue } from "./stored-value.ts";

export interface WaitingRoomParts {
  readonly subscriber: Connection;
  readonly channelOf: (id: string) => string;
  /** Reads the values of those that have one. */
  readonly read: (ids: readonly string[]) => Promise<readonly (Buffer | undefined)[]>;
}

interface Waiter {
  readonly offer: (outcome: StoredOutcome) => void;
  readonly fail: (reason: unknown) => void;
}

/** Milliseconds between looks by the clock. */
const pollInterval = 5_000;

/** Those who wait for outcomes: one subscription for each id, shared by all who wait for it, on one connection. */
export class WaitingRoom {
  readonly #channelOf: (id: string) => string;
  readonly #waiters = new TurnoverMap<string, Set<Waiter>>();
  readonly #subscribe: (channel: string) => Promise<void>;
  readonly #unsubscribe: (channel: string) => Promise<void>;
  readonly #ping: () => Promise<unknown>;
  readonly #read: (id: string) => Promise<void>;
  #poll: NodeJS.Timeout | undefined;

  constructor({ subscriber, channelOf, read }: WaitingRoomParts) {
    this.#channelOf = channelOf;
    this.#subscribe = createBatchedCalls((channels) =>
      subscriber.call((client) => client.subscribe(...channels), pollInterval),
    );
    this.#unsubscribe = createBatchedCalls((channels) => subscriber.call((client) => client.unsubscribe(...channels)));
    this.#ping = () => subscriber.call((client) => client.ping());
    this.#read = createBatchedCalls(async (ids) => {
      const values = await read(ids);
      ids.forEach((id, index) => {
        const value = values[index];
        if (value !== undefined) this.#deliver(id, value);
      });
    });
  }

  /** Resolves with the first outcome of `id` that `accepts`. Rejects with `signal.reason`. */
  wait(id: string, accepts: (outcome: StoredOutcome) => boolean, signal: AbortSignal): Promise<StoredOutcome> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => end(() => reject(signal.reason));
      const end = (answer: () => void): void => {
        signal.removeEventListener("abort", onAbort);
        this.#leave(id, waiter);
        answer();
      };
      const waiter: Waiter = {
        offer: (outcome) => {
          if (accepts(outcome)) end(() => resolve(outcome));
        },
        fail: (reason) => end(() => reject(reason)),
      };
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      this.#enter(id, waiter);
    });
  }

  /** To be told of what the subscriber connection got. What it cannot read it looks up: others may use the channel. */
  hear(id: string, value: Buffer): void {
    if (!this.#deliver(id, value)) void this.#look(id);
  }

  /** To be told when the subscriber connection is there again: no channel of the last one counts. */
  resubscribe(): void {
    for (const id of this.#waiters.keys()) this.#listen(id);
  }

  close(reason: unknown): void {
    for (const waiter of [...this.#waiters.values()].flatMap((all) => [...all])) waiter.fail(reason);
  }

  #enter(id: string, waiter: Waiter): void {
    const others = this.#waiters.get(id);
    this.#poll ??= setInterval(() => this.#lookByClock(), pollInterval);
    if (others !== undefined) {
      others.add(waiter);
      void this.#look(id);
      return;
    }
    this.#waiters.set(id, new Set([waiter]));
    this.#listen(id);
  }

  /** Subscribed first, read then: what is stored in between is either pushed or read. */
  #listen(id: string): void {
    const look = (): Promise<void> => this.#look(id);
    void this.#subscribe(this.#channelOf(id)).then(look, look);
  }

  /** Whether the value could be read. */
  #deliver(id: string, value: Buffer): boolean {
    const outcome = tryFromValue(value);
    if (outcome === undefined) return false;
    for (const waiter of [...(this.#waiters.get(id) ?? [])]) waiter.offer(outcome);
    return true;
  }

  /** Looks although nothing was heard, and has the connection answer, so that a dead one is found out. */
  #lookByClock(): void {
    for (const id of this.#waiters.keys()) void this.#look(id);
    this.#ping().catch(() => undefined);
  }

  #leave(id: string, waiter: Waiter): void {
    const others = this.#waiters.get(id);
    if (others === undefined || !others.delete(waiter) || others.size > 0) return;
    this.#waiters.delete(id);
    if (this.#waiters.size === 0) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
    const channel = this.#channelOf(id);
    /** Somebody came while the last one left. */
    const restore = (): void => {
      if (this.#waiters.has(id)) this.#listen(id);
    };
    void this.#unsubscribe(channel).then(restore, restore);
  }

  /** What fails here is tried again by the clock, and after the next reconnect. */
  #look(id: string): Promise<void> {
    return this.#read(id).catch(() => undefined);
  }
}
