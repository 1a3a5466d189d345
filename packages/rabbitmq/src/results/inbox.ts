import { monotonicNow, OutcomeWaits, type StoredOutcome, TurnoverMap, type WaitOptions } from "@taskferry/core";

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
  readonly #waits = new OutcomeWaits();
  #sweeper: NodeJS.Timeout | undefined;

  /** Of one run the first stands; a higher run replaces a lower one. */
  receive(outcome: StoredOutcome): void {
    const standing = this.get(outcome.id);
    if (standing !== undefined && standing.run >= outcome.run) return;
    this.#kept.delete(outcome.id);
    this.#kept.set(outcome.id, { outcome, until: monotonicNow() + outcome.ttl });
    if (this.#kept.size > mostKept) this.#kept.delete(this.#kept.keys().next().value as string);
    this.#sweeper ??= setInterval(() => this.#sweep(), sweepInterval).unref();
    this.#waits.offer(outcome.id, outcome);
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

  wait(id: string, options: WaitOptions): Promise<StoredOutcome> {
    options.signal.throwIfAborted();
    const standing = this.get(id);
    if (standing !== undefined && standing.run >= (options.run ?? 0)) return Promise.resolve(standing);
    return this.#waits.add(id, options);
  }

  /** Ends all waits, and forgets what has come. */
  close(reason: unknown): void {
    this.#waits.fail(reason);
    this.#kept.clear();
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #sweep(): void {
    for (const id of [...this.#kept.keys()]) this.get(id);
  }
}
