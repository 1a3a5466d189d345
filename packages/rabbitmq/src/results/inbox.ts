import { monotonicNow, type StoredOutcome, TurnoverMap, type WaitOptions } from "@taskferry/core";

interface Waiter {
  readonly offer: (outcome: StoredOutcome) => void;
  readonly fail: (reason: unknown) => void;
}

interface Kept {
  readonly outcome: StoredOutcome;
  readonly until: number;
}

/** Outcomes that are held at most; beyond, the oldest go. */
const mostKept = 10_000;
/** Milliseconds between looks for what is held no longer. */
const sweepInterval = 30_000;

/** What has come to this process, and those who wait for more. */
export class Inbox {
  readonly #kept = new TurnoverMap<string, Kept>();
  readonly #waiters = new TurnoverMap<string, Set<Waiter>>();
  #sweeper: NodeJS.Timeout | undefined;

  /** Of one run the first stands; a higher run replaces a lower one. */
  receive(outcome: StoredOutcome): void {
    const standing = this.get(outcome.id);
    if (standing !== undefined && standing.run >= outcome.run) return;
    this.#kept.delete(outcome.id);
    this.#kept.set(outcome.id, { outcome, until: monotonicNow() + outcome.ttl });
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepInterval).unref();
    for (const waiter of [...(this.#waiters.get(outcome.id) ?? [])]) waiter.offer(outcome);
  }

  get(id: string): StoredOutcome | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    if (kept.until > monotonicNow()) return kept.outcome;
    this.#kept.delete(id);
    return undefined;
  }

  delete(id: string): boolean {
    const isThere = this.get(id) !== undefined;
    this.#kept.delete(id);
    return isThere;
  }

  wait(id: string, { signal, run = 0 }: WaitOptions): Promise<StoredOutcome> {
    signal.throwIfAborted();
    const standing = this.get(id);
    if (standing !== undefined && standing.run >= run) return Promise.resolve(standing);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.fail(signal.reason);
      const leave = (): void => {
        signal.removeEventListener("abort", onAbort);
        this.#leave(id, waiter);
      };
      const waiter: Waiter = {
        offer: (outcome) => {
          if (outcome.run < run) return;
          leave();
          resolve(outcome);
        },
        fail: (reason) => {
          leave();
          reject(reason);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#enter(id, waiter);
    });
  }

  /** Ends all waits, and forgets what has come. */
  close(reason: unknown): void {
    for (const waiter of [...this.#waiters.values()].flatMap((all) => [...all])) waiter.fail(reason);
    this.#kept.clear();
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #enter(id: string, waiter: Waiter): void {
    const others = this.#waiters.get(id);
    if (others === undefined) this.#waiters.set(id, new Set([waiter]));
    else others.add(waiter);
  }

  #leave(id: string, waiter: Waiter): void {
    const others = this.#waiters.get(id);
    others?.delete(waiter);
    if (others?.size === 0) this.#waiters.delete(id);
  }

  #sweep(): void {
    for (const id of [...this.#kept.keys()]) this.get(id);
  }
}
