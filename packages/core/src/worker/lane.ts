import type { Consumer, Delivery } from "../broker.ts";
import { monotonicNow } from "../lifecycle.ts";
import { TurnoverSet } from "../turnover.ts";
import { createLookAhead, maxLookAhead } from "./look-ahead.ts";
import { Quarantine } from "./quarantine.ts";

export interface LaneParts {
  readonly consumer: Consumer;
  readonly concurrency: number;
  /** Whether more than `concurrency` may be started: whoever runs them keeps the rest waiting. */
  readonly sendsAhead: boolean;
  /** Whether a delivery may have killed the processes of workers before. It runs with no other beside it. */
  readonly isSuspect: (delivery: Delivery) => boolean;
  /** Looks at what came in; resolves to what shall run. The rest is dealt with by whoever looks. */
  readonly screen: (deliveries: readonly Delivery[]) => readonly Delivery[] | Promise<readonly Delivery[]>;
  /** Runs one delivery; calls `onFree` once its slot is free again, such as when it is parked, and has returned before. */
  readonly start: (delivery: Delivery, onFree: () => void) => void;
  /** Hands back what waited too long for a slot here while another worker may be idle, or must not run beside a suspect. */
  readonly release: (deliveries: readonly Delivery[]) => void;
}

interface Buffered {
  readonly delivery: Delivery;
  readonly since: number;
  /** It was parked before: those stand in front. */
  readonly isResumed?: true;
}

/** Milliseconds that a delivery may wait for a slot. */
const longestWait = 100;

/** How many deliveries a lane may hold at once: running, looked ahead, and waiting to be settled. */
export function laneWindow(concurrency: number): number {
  return concurrency + 2 * maxLookAhead;
}

/** Receives from one queue: takes as many deliveries as can start soon, starts as many as may run at once. */
export class Lane {
  /** All that is taken and not settled. */
  readonly held = new TurnoverSet<Delivery>();
  readonly #parts: LaneParts;
  readonly #stopping = new AbortController();
  readonly #lookAhead = createLookAhead();
  readonly #quarantine = new Quarantine(() => this.#fill());
  /** What waits without a slot until its gates let it in. */
  readonly #parked = new Set<Delivery>();
  readonly #onEnd = (): void => this.#end();
  #buffer: Buffered[] = [];
  #next = 0;
  #running = 0;
  #screening = 0;
  /** Ends the take under way: replaced once it has. */
  #takeEnd = new AbortController();
  #isTaking = false;
  #isPaused = false;
  #loop: Promise<void> = Promise.resolve();
  #wake: (() => void) | undefined;
  #ageTimer: NodeJS.Timeout | undefined;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** Takes nothing while it is paused, and hands back what has not started. Answers whether it was otherwise before. */
  pause(isPaused: boolean): boolean {
    if (isPaused === this.#isPaused) return false;
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#takeEnd.abort();
      const suspect = this.#quarantine.giveUp();
      const waiting = [...(suspect === undefined ? [] : [suspect]), ...this.#empty(), ...this.#unpark()];
      const held = waiting.filter((delivery) => this.held.has(delivery));
      if (held.length > 0) this.#parts.release(held);
    }
    this.#fill();
    return true;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get running(): number {
    return Math.min(this.#running, this.#parts.concurrency);
  }

  /** How many parked deliveries would find a slot, now or very soon: they go before what is buffered. */
  get free(): number {
    if (this.#quarantine.isActive) return 0;
    let resumed = 0;
    while (this.#buffer[this.#next + resumed]?.isResumed) resumed += 1;
    return this.#capacity - this.#running - resumed + Math.floor(this.#lookAhead.current() / 5);
  }

  get buffered(): number {
    const ahead = Math.max(0, this.#running - this.#parts.concurrency);
    return this.#waiting + ahead + (this.#quarantine.isWaiting ? 1 : 0);
  }

  /** Runs until `stop`, and rejects on what no retry mends. */
  run(): Promise<void> {
    this.#loop = this.#takeOn();
    return this.#loop;
  }

  /** Takes no more, and gives back what has not started: for the caller to release. */
  async stop(): Promise<readonly Delivery[]> {
    this.#stopping.abort();
    this.#takeEnd.abort();
    this.#wake?.();
    await Promise.allSettled([this.#loop, this.#parts.consumer.stop()]);
    while (this.#screening > 0) await this.#changed();
    const suspect = this.#quarantine.giveUp();
    const others = [...this.#empty(), ...this.#unpark()];
    return suspect === undefined || !this.held.has(suspect) ? others : [suspect, ...others];
  }

  /** To be told of a delivery that gives up its slot to wait, before its start resolves. */
  park(delivery: Delivery): void {
    if (this.held.has(delivery)) this.#parked.add(delivery);
  }

  /** Puts a parked delivery in front of those that wait for a slot. */
  resume(delivery: Delivery): void {
    if (!this.#parked.delete(delivery)) return;
    if (this.#parts.isSuspect(delivery)) return this.#admit([delivery]);
    this.#buffer.splice(this.#next, 0, { delivery, since: monotonicNow(), isResumed: true });
    this.#fill();
  }

  /** To be told of a delivery that is settled or lost. */
  forget(delivery: Delivery): void {
    this.held.delete(delivery);
    this.#parked.delete(delivery);
    if (this.#quarantine.isKeeping(delivery)) this.#quarantine.giveUp();
    if (this.#quarantine.isWaiting) this.#fill();
    this.#wake?.();
  }

  /** How many may be started. */
  get #capacity(): number {
    const { concurrency, sendsAhead } = this.#parts;
    return sendsAhead ? concurrency + this.#lookAhead.current() : concurrency;
  }

  get #waiting(): number {
    return this.#buffer.length - this.#next;
  }

  async #takeOn(): Promise<void> {
    const { consumer, screen } = this.#parts;
    while (!this.#stopping.signal.aborted) {
      const wanted = this.#demand();
      if (wanted <= 0) {
        await this.#changed();
        continue;
      }
      if (this.#takeEnd.signal.aborted) this.#takeEnd = new AbortController();
      this.#isTaking = true;
      const deliveries = await consumer.take(wanted, this.#takeEnd.signal);
      this.#isTaking = false;
      for (const delivery of deliveries) this.held.add(delivery);
      const admitted = screen(deliveries);
      if (admitted instanceof Promise) void this.#admitLater(admitted);
      else this.#admit(admitted);
    }
  }

  #demand(): number {
    if (this.#isPaused) return 0;
    const { concurrency } = this.#parts;
    const ahead = this.#lookAhead.current();
    const wanted = concurrency + ahead - this.#running - this.#waiting;
    // Half of the look-ahead is used up first: many small takes cost more than a few large ones.
    if (this.#running >= concurrency && wanted < ahead / 2) return 0;
    return Math.min(wanted, this.#quarantine.limit, laneWindow(concurrency) - this.held.size);
  }

  async #admitLater(admitted: Promise<readonly Delivery[]>): Promise<void> {
    this.#screening += 1;
    this.#admit(await admitted);
    this.#screening -= 1;
    this.#wake?.();
  }

  #admit(deliveries: readonly Delivery[]): void {
    const { isSuspect, release } = this.#parts;
    if (this.#isPaused) {
      if (deliveries.length > 0) release(deliveries);
      return;
    }
    const since = monotonicNow();
    const surplus: Delivery[] = [];
    // Under load the buffer is never empty: what has started must not stay in it.
    this.#buffer.splice(0, this.#next);
    this.#next = 0;
    for (const delivery of deliveries) {
      if (!isSuspect(delivery)) this.#buffer.push({ delivery, since });
      else if (!this.#quarantine.keep(delivery)) surplus.push(delivery);
    }
    if (surplus.length > 0) release(surplus);
    this.#fill();
  }

  #fill(): void {
    if (this.#quarantine.isActive) this.#isolate();
    else this.#startWaiting();
    const isStopping = this.#stopping.signal.aborted;
    if (this.#waiting === 0) this.#stopAgeTimer();
    else if (!isStopping) this.#ageTimer ??= setInterval(() => this.#releaseAged(), longestWait / 2);
    this.#wake?.();
  }

  /** Others that have not started run elsewhere, or later, and are not counted should the suspect kill this process. */
  #isolate(): void {
    if (this.#stopping.signal.aborted) return;
    // What is handed back must not come in again by a take that still waits.
    this.#takeEnd.abort();
    const others = [...this.#empty(), ...this.#unpark()];
    if (others.length > 0) this.#parts.release(others);
    const suspect = this.#quarantine.next(this.held.size - 1 + (this.#isTaking ? 1 : 0));
    if (suspect === undefined) return;
    this.#running += 1;
    this.#parts.start(suspect, () => {
      this.#quarantine.end(suspect);
      this.#end();
    });
  }

  #startWaiting(): void {
    const { start } = this.#parts;
    const isStopping = this.#stopping.signal.aborted;
    const capacity = this.#capacity;
    while (!isStopping && this.#running < capacity && this.#waiting > 0) {
      const { delivery } = this.#buffer[this.#next] as Buffered;
      this.#next += 1;
      if (this.#next === this.#buffer.length) this.#reset();
      if (!this.held.has(delivery)) continue;
      this.#quarantine.relax();
      this.#running += 1;
      start(delivery, this.#onEnd);
    }
  }

  #end(): void {
    this.#running -= 1;
    this.#lookAhead.count();
    this.#fill();
  }

  #releaseAged(): void {
    const limit = monotonicNow() - longestWait;
    for (let at = this.#next; at < this.#buffer.length; at += 1) {
      if ((this.#buffer[at] as Buffered).since < limit) return this.#parts.release(this.#empty());
      // Whatever stands behind the resumed ones was taken no earlier than the first of them.
      if (!this.#buffer[at]?.isResumed) return;
    }
  }

  #empty(): readonly Delivery[] {
    const waiting = this.#buffer.slice(this.#next).map(({ delivery }) => delivery);
    this.#reset();
    this.#stopAgeTimer();
    return waiting.filter((delivery) => this.held.has(delivery));
  }

  #unpark(): readonly Delivery[] {
    if (this.#parked.size === 0) return [];
    const parked = [...this.#parked];
    this.#parked.clear();
    return parked;
  }

  #reset(): void {
    this.#buffer = [];
    this.#next = 0;
  }

  #stopAgeTimer(): void {
    clearInterval(this.#ageTimer);
    this.#ageTimer = undefined;
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
