import { idOrigin, idTime, newestIdTime, ownOrigin } from "./id.ts";
import type { StoredOutcome } from "./outcome.ts";
import { TurnoverMap } from "./turnover.ts";

/** What a result backend hears, by one subscription, of the outcomes of all tasks that this process made. */
export interface OutcomeFeed {
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

export interface OwnOutcomesParts {
  /** Subscribes. Whatever answers it is to be confirmed with {@link OwnOutcomes.confirm}. */
  readonly open: () => OutcomeFeed;
  /** Whether somebody waits. */
  readonly isAwaited: () => boolean;
  /** Told that it listens no more: those who wait need another way. */
  readonly onEnd: () => void;
}

/** Milliseconds for which an outcome is kept that nobody waits for yet. */
const keptFor = 1_000;
const mostKept = 1_000;
const mostBytesKept = 4 * 1024 * 1024;
/** Milliseconds between looks at whether it is worth it. */
const review = 5_000;
/** So many outcomes may come in that nobody waits for, and so many times as many as somebody does. */
const mostInVain = 1_000;
const mostPerWait = 10;
/** Reviews for which it rests after it was not worth it. */
const rest = 6;

interface Kept {
  readonly outcome: StoredOutcome;
  readonly bytes: number;
  readonly at: number;
}

/** How an outcome was come by. */
export interface Hearing {
  readonly bytes: number;
  /** Whether somebody has waited for it. */
  readonly wasAwaited: boolean;
}

/**
 * One subscription for the outcomes of all tasks of this process, while it waits for them one after the other: then a wait
 * costs no call at all. A task that was made after the server had come by the subscription cannot have ended unheard.
 */
export class OwnOutcomes {
  readonly #parts: OwnOutcomesParts;
  readonly #kept = new TurnoverMap<string, Kept>();
  #bytes = 0;
  #feed: OutcomeFeed | undefined;
  /** Of tasks that were made after this, nothing was missed. */
  #since = Number.POSITIVE_INFINITY;
  /** Counts the connections and subscriptions. */
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #inVain = 0;
  #wanted = 0;
  #restsFor = 0;

  constructor(parts: OwnOutcomesParts) {
    this.#parts = parts;
  }

  /** Whether it hears of this task from now on. */
  hears(id: string): boolean {
    return this.isListening && idOrigin(id) === ownOrigin();
  }

  get isListening(): boolean {
    return this.#feed?.isOpen() ?? false;
  }

  /** To be handed to {@link confirm} once something was answered that is asked now. */
  get turn(): number {
    return this.#turn;
  }

  /** To be told that somebody waits. Listens from then on, if the task is its own, and unless that is not worth it. */
  want(id: string): void {
    if (idOrigin(id) !== ownOrigin()) return;
    this.#wanted += 1;
    this.#timer ??= setInterval(() => this.#review(), review).unref();
    if (this.isListening || this.#restsFor > 0) return;
    this.#turn += 1;
    this.#since = Number.POSITIVE_INFINITY;
    this.#feed = this.#parts.open();
  }

  /** To be told that the server has answered what was asked in that turn. */
  confirm(turn: number): void {
    if (turn === this.#turn && this.isListening) this.#since = Math.min(this.#since, newestIdTime());
  }

  /** Whether nothing can have been announced of this task that was not heard. */
  covers(id: string): boolean {
    return this.hears(id) && (idTime(id) ?? 0) > this.#since;
  }

  /** Keeps an outcome for somebody who is about to wait, whether somebody else has waited for it or not. */
  keep(outcome: StoredOutcome, { bytes, wasAwaited }: Hearing): void {
    if (!wasAwaited) this.#inVain += 1;
    this.forget(outcome.id);
    this.#kept.set(outcome.id, { outcome, bytes, at: performance.now() });
    this.#bytes += bytes;
    this.#discard();
  }

  recall(id: string): StoredOutcome | undefined {
    this.#discard();
    return this.#kept.get(id)?.outcome;
  }

  /** To be told that the outcome of a task was removed. */
  forget(id: string): void {
    this.#bytes -= this.#kept.get(id)?.bytes ?? 0;
    this.#kept.delete(id);
  }

  /** To be told of a new connection: what was announced meanwhile was missed. */
  interrupt(): void {
    this.#turn += 1;
    this.#since = Number.POSITIVE_INFINITY;
    this.#kept.clear();
    this.#bytes = 0;
  }

  /** To be told that the subscription is of no use. Rests for a while. */
  giveUp(): void {
    this.#restsFor = rest;
    this.#end();
    this.#parts.onEnd();
  }

  close(): void {
    this.#stopReviews();
    this.#end();
  }

  /** What was kept and is discarded counts as missed. */
  #discard(): void {
    const limit = performance.now() - keptFor;
    for (const [id, { at }] of this.#kept) {
      if (at > limit && this.#kept.size <= mostKept && this.#bytes <= mostBytesKept) return;
      this.forget(id);
      this.#since = Math.max(this.#since, idTime(id) ?? 0);
    }
  }

  #review(): void {
    const isInVain = this.#inVain > mostInVain + mostPerWait * this.#wanted;
    const isIdle = this.#wanted === 0 && !this.#parts.isAwaited();
    this.#inVain = 0;
    this.#wanted = 0;
    if (isInVain) return this.giveUp();
    if (this.#restsFor > 0) this.#restsFor -= 1;
    if (!isIdle) return;
    this.#end();
    if (this.#restsFor === 0) this.#stopReviews();
  }

  #stopReviews(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #end(): void {
    const feed = this.#feed;
    this.#feed = undefined;
    this.interrupt();
    if (feed?.isOpen()) feed.close();
  }
}
