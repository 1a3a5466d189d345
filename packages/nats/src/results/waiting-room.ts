import type { Subscription } from "@nats-io/transport-node";
import { type OutcomeFeed, OwnOutcomes, type StoredOutcome, TurnoverMap } from "@taskferry/core";
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

interface Waiter {
  readonly offer: (outcome: StoredOutcome) => void;
  readonly fail: (reason: unknown) => void;
}

/** Those who wait for one id, and the subscription they share. */
interface Wait {
  readonly waiters: Set<Waiter>;
  /** Absent until the first look, and where it is one of this process's own. */
  subscription: Subscription | undefined;
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
  readonly #waits = new TurnoverMap<string, Wait>();
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
    for (const waiter of [...this.#waits.values()].flatMap(({ waiters }) => [...waiters])) waiter.fail(reason);
    this.#endAll();
    this.#own.close();
  }

  #enter(id: string, waiter: Waiter): void {
    this.#poll ??= setInterval(() => this.#lookAtAll(), pollInterval);
    const others = this.#waits.get(id);
    if (others === undefined) this.#waits.set(id, { waiters: new Set([waiter]), subscription: undefined });
    else others.waiters.add(waiter);
    this.#own.want(id);
    const heard = this.#own.recall(id);
    if (heard !== undefined) waiter.offer(heard);
    if (!this.#own.covers(id)) this.#look(id);
  }

  #leave(id: string, waiter: Waiter): void {
    const wait = this.#waits.get(id);
    if (wait === undefined || !wait.waiters.delete(waiter) || wait.waiters.size > 0) return;
    this.#waits.delete(id);
    if (wait.subscription !== undefined) this.#endLater(wait.subscription);
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
    else this.#offer(id, outcome);
  }

  #hearOwn(id: string, value: Uint8Array): void {
    const wasAwaited = this.#waits.has(id);
    const outcome = tryFromValue(value);
    if (outcome === undefined) return this.#look(id);
    this.#offer(id, outcome);
    this.#own.keep(outcome, { bytes: bytesOf(outcome), wasAwaited });
  }

  #offer(id: string, outcome: StoredOutcome): void {
    for (const waiter of [...(this.#waits.get(id)?.waiters ?? [])]) waiter.offer(outcome);
  }

  #lookAtAll(): void {
    for (const id of this.#waits.keys()) this.#look(id);
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
      const wait = this.#waits.get(id) as Wait;
      if (!this.#own.hears(id)) wait.subscription ??= this.#subscribe(id);
    }
    const { turn } = this.#own;
    for (let start = 0; start < ids.length; start += largestLook) {
      const batch = ids.slice(start, start + largestLook);
      const outcomes = await this.#parts.read(batch);
      this.#own.confirm(turn);
      batch.forEach((id, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined) return;
        this.#offer(id, outcome);
        if (this.#own.hears(id)) this.#own.keep(outcome, { bytes: bytesOf(outcome), wasAwaited: true });
      });
    }
  }
}

/** The rest of an outcome is small beside its result. */
function bytesOf({ result }: StoredOutcome): number {
  return result?.body.length ?? 0;
}
