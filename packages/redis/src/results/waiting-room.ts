import {
  type OutcomeFeed,
  OutcomeWaits,
  OwnOutcomes,
  type StoredOutcome,
  TurnoverSet,
  type WaitOptions,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { createBatchedCalls } from "./batched-calls.ts";
import { tryFromValue } from "./stored-value.ts";

export interface WaitingRoomParts {
  readonly subscriber: Connection;
  readonly channelOf: (id: string) => string;
  readonly idOf: (channel: string) => string;
  /** Where the outcomes of all tasks of this process are announced; `undefined` where they are not. */
  readonly ownChannel: string | undefined;
  /** Reads the values of those that have one. */
  readonly read: (ids: readonly string[]) => Promise<readonly (Buffer | undefined)[]>;
}

/** Milliseconds between looks by the clock. */
const pollInterval = 5_000;

/**
 * Those who wait for outcomes, on one connection: one subscription for the tasks of this process, and one for each other id,
 * shared by all who wait for it.
 */
export class WaitingRoom {
  readonly #parts: WaitingRoomParts;
  readonly #own: OwnOutcomes;
  /** Settled once the server has come by the subscription to this process's own. */
  #ownSubscribed: Promise<unknown> = Promise.resolve();
  readonly #waits = new OutcomeWaits((id) => this.#leave(id));
  /** Those awaited that have a channel of their own: not the tasks of this process. */
  readonly #withChannel = new TurnoverSet<string>();
  readonly #subscribe: (channel: string) => Promise<void>;
  readonly #unsubscribe: (channel: string) => Promise<void>;
  readonly #read: (id: string) => Promise<void>;
  #poll: NodeJS.Timeout | undefined;

  constructor(parts: WaitingRoomParts) {
    const { subscriber, read } = parts;
    this.#parts = parts;
    this.#subscribe = createBatchedCalls((channels) =>
      subscriber.call((client) => client.subscribe(...channels), pollInterval),
    );
    this.#unsubscribe = createBatchedCalls((channels) => subscriber.call((client) => client.unsubscribe(...channels)));
    this.#read = createBatchedCalls(async (ids) => {
      const values = await read(ids);
      ids.forEach((id, index) => {
        const value = values[index];
        if (value !== undefined) this.#deliver(id, value);
      });
    });
    this.#own = new OwnOutcomes({
      open: () => this.#openOwn(),
      isAwaited: () => this.#waits.size > 0,
      onEnd: () => this.#listenToAll(),
    });
  }

  wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    const isFirst = !this.#waits.has(id);
    const waiting = this.#waits.add(id, options);
    if (this.#waits.has(id)) this.#find(id, isFirst);
    return waiting;
  }

  /** To be told of what the subscriber connection got. */
  hear(channel: string, value: Buffer): void {
    if (channel === this.#parts.ownChannel) return this.#hearOwn(value);
    const id = this.#parts.idOf(channel);
    // Others may use the channel.
    if (!this.#deliver(id, value)) void this.#look(id);
  }

  /** To be told when the subscriber connection is there again: no channel of the last one counts. */
  resubscribe(): void {
    this.#renewOwn();
    this.#withChannel.clear();
    this.#listenToAll();
  }

  /** To be told that outcomes were removed. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#own.forget(id);
  }

  close(reason: unknown): void {
    this.#waits.fail(reason);
    this.#own.close();
  }

  #find(id: string, isFirst: boolean): void {
    this.#poll ??= setInterval(() => this.#lookByClock(), pollInterval);
    if (this.#parts.ownChannel !== undefined) this.#own.want(id);
    const heard = this.#own.recall(id);
    if (heard !== undefined) this.#waits.offer(id, heard);
    if (this.#own.covers(id) || !this.#waits.has(id)) return;
    if (isFirst) this.#listen(id);
    else void this.#look(id);
  }

  /** Subscribed first, read then: what is stored in between is either pushed or read. */
  #listen(id: string): void {
    const look = (): Promise<void> => this.#look(id);
    void this.#subscribeTo(id).then(look, look);
  }

  #listenToAll(): void {
    for (const id of this.#waits.ids()) this.#listen(id);
  }

  #subscribeTo(id: string): Promise<unknown> {
    if (this.#own.hears(id)) return this.#ownSubscribed;
    this.#withChannel.add(id);
    return this.#subscribe(this.#parts.channelOf(id));
  }

  #openOwn(): OutcomeFeed {
    let isOpen = true;
    /** It was opened again while it closed. */
    const restore = (): void => {
      if (!this.#own.isListening) return;
      this.#renewOwn();
      this.#listenToAll();
    };
    const close = (): void => {
      isOpen = false;
      void this.#unsubscribe(this.#parts.ownChannel as string).then(restore, restore);
    };
    this.#subscribeToOwn();
    return { isOpen: () => isOpen, close };
  }

  #renewOwn(): void {
    this.#own.interrupt();
    if (this.#own.isListening) this.#subscribeToOwn();
  }

  #subscribeToOwn(): void {
    const { turn } = this.#own;
    this.#ownSubscribed = this.#subscribe(this.#parts.ownChannel as string).then(
      () => this.#own.confirm(turn),
      () => {
        if (turn === this.#own.turn) this.#own.giveUp();
      },
    );
  }

  #hearOwn(value: Buffer): void {
    const outcome = tryFromValue(value);
    // What cannot be read is found by the clock, if it was for anybody here: others may use the channel.
    if (outcome === undefined) return;
    const wasAwaited = this.#waits.has(outcome.id);
    this.#waits.offer(outcome.id, outcome);
    this.#own.keep(outcome, { bytes: value.length, wasAwaited });
  }

  /** Whether the value could be read. */
  #deliver(id: string, value: Buffer): boolean {
    const outcome = tryFromValue(value);
    if (outcome === undefined) return false;
    this.#waits.offer(id, outcome);
    if (this.#own.hears(id)) this.#own.keep(outcome, { bytes: value.length, wasAwaited: true });
    return true;
  }

  /** Looks although nothing was heard, and has the connection answer, so that a dead one is found out. */
  #lookByClock(): void {
    for (const id of this.#waits.ids()) void this.#look(id);
    this.#parts.subscriber.call((client) => client.ping()).catch(() => undefined);
  }

  #leave(id: string): void {
    if (this.#waits.size === 0) {
      clearInterval(this.#poll);
      this.#poll = undefined;
    }
    if (!this.#withChannel.delete(id)) return;
    /** Somebody came while the last one left. */
    const restore = (): void => {
      if (this.#waits.has(id)) this.#listen(id);
    };
    void this.#unsubscribe(this.#parts.channelOf(id)).then(restore, restore);
  }

  /** What fails here is tried again by the clock, and after the next reconnect. */
  #look(id: string): Promise<void> {
    return this.#read(id).catch(() => undefined);
  }
}
