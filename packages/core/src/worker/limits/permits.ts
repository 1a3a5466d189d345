import { randomBytes } from "node:crypto";
import { monotonicNow } from "../../lifecycle.ts";
import type { ResolvedLimit } from "../../limit.ts";
import type { StateKey, StateStore } from "../../state-store.ts";

export interface PermitParts {
  readonly state: StateStore;
  /** Milliseconds after which the place of a worker that died comes free. */
  readonly ttl: number;
  readonly onError: (error: unknown) => void;
}

/** One start that is allowed. */
export interface Start {
  readonly name: string;
  /** Since when it counts, at least; on the monotonic clock. */
  readonly since: number;
}

/** Starts up to this many are remembered one by one, so that no span of time sees more. */
const largestLog = 1_000;
/** Larger rates are counted in so many spans of `per`, of which any span as long as `per` touches one more. */
const spans = 10;

/** What one key of a limit may do, as the state store counts it for all workers. */
export class Permits {
  readonly #parts: PermitParts;
  readonly #limit: ResolvedLimit;
  readonly #placesKey: StateKey;
  readonly #rateKey: StateKey;
  readonly #maker = randomBytes(9).toString("base64url");
  #made = 0;
  /** When starts of this worker count no longer, on the monotonic clock. */
  readonly #ends: number[] = [];
  /** Starts of tasks that were let in and have not begun. */
  readonly #ahead = new Set<string>();
  #aheadTimer: NodeJS.Timeout | undefined;
  #leaving: string[] = [];
  #beginning: string[] = [];
  #lastLeave: Promise<unknown> = Promise.resolve();

  constructor(parts: PermitParts, limit: ResolvedLimit, key: StateKey) {
    this.#parts = parts;
    this.#limit = limit;
    this.#placesKey = [...key, "places"];
    this.#rateKey = [...key, "rate"];
  }

  /** Places to run in, `wanted` at most. */
  async takePlaces(wanted: number): Promise<readonly string[]> {
    const { concurrency } = this.#limit;
    if (concurrency === undefined) return this.#names(wanted);
    const names = this.#names(Math.min(wanted, concurrency));
    const { added } = await this.#parts.state.add(this.#placesKey, names, { ttl: this.#parts.ttl, max: concurrency });
    return added;
  }

  /** Those that may start now, `wanted` at most. */
  async takeStarts(wanted: number): Promise<readonly Start[]> {
    const { rate } = this.#limit;
    if (rate === undefined) return Array.from({ length: wanted }, () => always);
    return rate.limit > largestLog ? this.#countStarts(wanted, rate) : this.#logStarts(wanted, rate);
  }

  /** To be told who has a start: others must not have it before the handler begins, however long that takes. */
  keep({ name }: Start): void {
    const { rate } = this.#limit;
    if (rate === undefined || rate.limit > largestLog) return;
    this.#ahead.add(name);
    this.#renewAhead(rate);
  }

  /** The span of a rate begins with the handler, which slow replies, middlewares and a busy worker put off. */
  begin(start: Start): void {
    const { rate } = this.#limit;
    this.forget(start);
    // Half of the slack is left for what the store's clock is off.
    if (rate === undefined || monotonicNow() - start.since < slackOf(rate.per) / 2) return;
    this.#beginning.push(start.name);
    if (this.#beginning.length > 1) return;
    setImmediate(() => {
      const names = this.#beginning;
      this.#beginning = [];
      this.#countAnew(names, rate);
    });
  }

  /** Its handler has begun, or never will. */
  forget({ name }: Start): void {
    this.#ahead.delete(name);
    if (this.#ahead.size > 0) return;
    clearTimeout(this.#aheadTimer);
    this.#aheadTimer = undefined;
  }

  /** Gives places back that are used no longer, together with others of the same moment. */
  giveBack(places: readonly string[]): void {
    if (places.length === 0 || this.#limit.concurrency === undefined) return;
    this.#leaving.push(...places);
    if (this.#leaving.length > places.length) return;
    this.#lastLeave = new Promise((resolve) => setImmediate(resolve)).then(() => this.#leave());
  }

  /** Resolves once everything that was given back is back. */
  async drain(): Promise<void> {
    await this.#lastLeave;
  }

  async renew(places: readonly string[]): Promise<void> {
    const { concurrency } = this.#limit;
    if (concurrency === undefined || places.length === 0) return;
    await this.#parts.state.add(this.#placesKey, places, { ttl: this.#parts.ttl, max: concurrency });
  }

  /** When the first start of this worker counts no longer, on the monotonic clock. */
  get nextEnd(): number {
    return this.#ends[0] ?? Number.POSITIVE_INFINITY;
  }

  async #logStarts(wanted: number, { limit, per }: NonNullable<ResolvedLimit["rate"]>): Promise<readonly Start[]> {
    const ttl = per + slackOf(per);
    const since = monotonicNow();
    while (this.nextEnd <= since) this.#ends.shift();
    const names = this.#names(Math.min(wanted, limit));
    const { added } = await this.#parts.state.add(this.#rateKey, names, { ttl, max: limit });
    const end = monotonicNow() + ttl;
    for (const _ of added) this.#ends.push(end);
    return added.map((name) => ({ name, since }));
  }

  #renewAhead(rate: NonNullable<ResolvedLimit["rate"]>): void {
    this.#aheadTimer ??= setTimeout(
      () => {
        this.#aheadTimer = undefined;
        this.#countAnew([...this.#ahead], rate);
        this.#renewAhead(rate);
      },
      Math.min(rate.per / 3, 2 ** 31 - 1),
    );
  }

  /** As if they had been allowed now. */
  #countAnew(names: readonly string[], { limit, per }: NonNullable<ResolvedLimit["rate"]>): void {
    const ttl = per + slackOf(per);
    this.#parts.state.add(this.#rateKey, names, { ttl, max: limit }).catch(this.#parts.onError);
  }

  async #countStarts(wanted: number, { limit, per }: NonNullable<ResolvedLimit["rate"]>): Promise<readonly Start[]> {
    const ceiling = Math.floor(limit / (spans + 1));
    for (let by = Math.min(wanted, ceiling); by > 0; ) {
      const { value, added } = await this.#parts.state.increment(this.#rateKey, by, { ttl: per / spans, ceiling });
      if (added) return Array.from({ length: by }, () => always);
      by = Math.min(by - 1, ceiling - value);
    }
    return [];
  }

  #names(count: number): readonly string[] {
    return Array.from({ length: count }, () => {
      this.#made += 1;
      return `${this.#maker}.${this.#made.toString(36)}`;
    });
  }

  async #leave(): Promise<void> {
    const places = this.#leaving;
    this.#leaving = [];
    await this.#parts.state.remove(this.#placesKey, places).catch(this.#parts.onError);
  }
}

/** One that needs no more attention. */
const always: Start = { name: "", since: Number.POSITIVE_INFINITY };

/** Milliseconds by which a start may be late without being told of again. */
function slackOf(per: number): number {
  return Math.min(per / 20, 25);
}
