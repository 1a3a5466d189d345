import type { Subscription } from "@nats-io/transport-node";
import {
  type OutcomeFeed,
  OutcomeWaits,
  OwnOutcomes,
  type StoredOutcome,
  TurnoverMap,
  type WaitOptions,
} from "@taskferry/core";
import type { Connection } from "../connection.ts";
import { ownIdOf, tryFromValue } from "./outcome-values.ts";

export interface WaitingRoomParts {
  readonly connection: Connection;
  /** Where the outcome of an id is announced once it is stored. */
  readonly subjectOf: (id: string) => string;
  /** Where those of all tasks of this process are. */
  readonly ownSubject: string;
  /** Reads the outcomes that stand. */
  readonly read: (ids: readonly string[]) => Promise<readonly (StoredOutcome | undefined)[]>;
}

/** Milliseconds between looks by the clock. */
const pollInterval = 5_000;
const largestLook = 500;
/** Milliseconds that a subscription which nobody needs any more waits for something to be sent with its end. */
const longestEnding = 50;
const mostEnding = 1_000;

/**
 * Those who wait for outcomes, on one connection: one subscription for the tasks of this process, and one for each other id,
 * shared by all who wait for it.
 */
export class WaitingRoom {
  readonly #parts: WaitingRoomParts;
  readonly #own: OwnOutcomes;
  readonly #waits = new OutcomeWaits((id) => this.#leave(id));
  /** Absent until the first look, and of what is this process's own. */
  readonly #subscriptions = new TurnoverMap<string, Subscription>();
  #toLook = new Set<string>();
  #ending: Subscription[] = [];
  #endTimer: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;

  constructor(parts: WaitingRoomParts) {
    this.#parts = parts;
    this.#own = new OwnOutcomes({
      open: () => this.#subscribeToOwn(),
      isAwaited: () => this.#waits.size > 0,
      onEnd: () => this.#lookAtAll(),
    });
  }

  wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    const waiting = this.#waits.add(id, options);
    if (this.#waits.has(id)) this.#find(id);
    return waiting;
  }

  /** To be told when the connection is there again: what was announced meanwhile was not heard. */
  lookAgain(): void {
    this.#own.interrupt();
    this.#lookAtAll();
  }

  /** To be told that outcomes were removed. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#own.forget(id);
  }

  close(reason: unknown): void {
    this.#waits.fail(reason);
    this.#endAll();
    this.#own.close();
  }

  #find(id: string): void {
    this.#poll ??= setInterval(() => this.#lookAtAll(), pollInterval);
    this.#own.want(id);
    const heard = this.#own.recall(id);
    if (heard !== undefined) this.#waits.offer(id, heard);
    if (!this.#own.covers(id)) this.#look(id);
  }

  #leave(id: string): void {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    if (subscription !== undefined) this.#endLater(subscription);
    if (this.#waits.size > 0) return;
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  #subscribe(id: string): Subscription {
    return this.#parts.connection.driver.subscribe(this.#parts.subjectOf(id), {
      callback: (error, message) => {
        if (error === null) this.#hear(id, message.data);
      },
    });
  }

  #subscribeToOwn(): OutcomeFeed {
    const subscription = this.#parts.connection.driver.subscribe(this.#parts.ownSubject, {
      callback: (error, { subject, data }) => {
        if (error === null) this.#hearOwn(ownIdOf(subject), data);
        else this.#own.giveUp();
      },
    });
    return { isOpen: () => !subscription.isClosed(), close: () => subscription.unsubscribe() };
  }

  #endLater(subscription: Subscription): void {
    this.#ending.push(subscription);
    if (this.#ending.length >= mostEnding) this.#endAll();
    else this.#endTimer ??= setTimeout(() => this.#endAll(), longestEnding);
  }

  #endAll(): void {
    clearTimeout(this.#endTimer);
    this.#endTimer = undefined;
    for (const subscription of this.#ending.splice(0)) if (!subscription.isClosed()) subscription.unsubscribe();
  }

  /** What cannot be read is looked up: others may use the subject. */
  #hear(id: string, value: Uint8Array): void {
    const outcome = tryFromValue(value);
    if (outcome === undefined) this.#look(id);
    else this.#waits.offer(id, outcome);
  }

  #hearOwn(id: string, value: Uint8Array): void {
    const wasAwaited = this.#waits.has(id);
    const outcome = tryFromValue(value);
    if (outcome === undefined) return this.#look(id);
    this.#waits.offer(id, outcome);
    this.#own.keep(outcome, { bytes: bytesOf(outcome), wasAwaited });
  }

  #lookAtAll(): void {
    for (const id of this.#waits.ids()) this.#look(id);
  }

  /** Looks of the same moment go together. What fails is tried again by the clock, and after the next reconnect. */
  #look(id: string): void {
    this.#toLook.add(id);
    if (this.#toLook.size === 1) setImmediate(() => void this.#lookAll().catch(() => undefined));
  }

  /**
   * Subscribes first and reads then, over one connection: what is stored in between is either pushed or read. What nobody
   * waits for any more is ended in the same write.
   */
  async #lookAll(): Promise<void> {
    const ids = [...this.#toLook].filter((id) => this.#waits.has(id));
    this.#toLook = new Set();
    this.#endAll();
    for (const id of ids) {
      if (!this.#own.hears(id) && !this.#subscriptions.has(id)) this.#subscriptions.set(id, this.#subscribe(id));
    }
    const { turn } = this.#own;
    for (let start = 0; start < ids.length; start += largestLook) {
      const batch = ids.slice(start, start + largestLook);
      const outcomes = await this.#parts.read(batch);
      this.#own.confirm(turn);
      batch.forEach((id, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined) return;
        this.#waits.offer(id, outcome);
        if (this.#own.hears(id)) this.#own.keep(outcome, { bytes: bytesOf(outcome), wasAwaited: true });
      });
    }
  }
}

/** The rest of an outcome is small beside its result. */
function bytesOf({ result }: StoredOutcome): number {
  return result?.body.length ?? 0;
}
