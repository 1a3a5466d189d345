import { monotonicNow } from "../../lifecycle.ts";
import type { ResolvedLimit } from "../../limit.ts";
import type { Admission } from "../gate.ts";
import type { Ended, Job } from "../job.ts";
import { ParkedJob } from "../parked-job.ts";
import type { Line } from "./line.ts";
import { Patience, type PatienceRange } from "./patience.ts";
import type { Permits, Start } from "./permits.ts";

export interface LimitedKeyParts {
  readonly limit: ResolvedLimit;
  readonly permits: Permits;
  readonly line: Line;
  readonly room: Room;
  readonly holding: Holding;
  /** Told of a job that waited here and will not start. */
  readonly onGone: (job: Job) => void;
  readonly onError: (error: unknown) => void;
}

/** What the keys of one queue share. */
export interface Room {
  /** How many jobs wait in this worker, and of how many keys. */
  parked: number;
  keys: number;
  /** How many are likely to be let in by what is being asked. */
  asking: number;
  /** The share of those asked for that is let in: a mean that forgets. */
  yield: number;
}

/** For how long tasks of a limit have their places, in milliseconds: a mean that forgets. */
export interface Holding {
  mean: number;
}

interface Place {
  readonly name: string;
  /** Since when this worker has it, whichever of its jobs uses it. */
  readonly since: number;
}

interface Fresh {
  readonly job: Job;
  readonly answer: (admission: Admission | Promise<Admission>) => void;
}

/** Jobs that wait in one worker at most: of one key, and in all. */
const mostParked = { ofKey: 100, inAll: 1_000 };
/** Milliseconds for which a worker keeps a place for its own jobs, before others may have it. */
const longestKeeping = 5_000;
/** Of those asked for, the share that is thought to be let in, at least. */
const leastYield = 0.05;
/** Milliseconds between two questions in vain for places, over all keys that wait in this worker. */
const askingInterval = 10;
/** Milliseconds until a store that did not answer is asked again. */
const afterError = 500;
/** Milliseconds after which a task comes back at most: by the rate; by others' durations, which are guesses; in vain before. */
const longestDelay = { byRate: 3_600_000, byGuess: 120_000, again: 30_000 };

/** One key of a limit in one worker: who waits for it here, and who has it. */
export class LimitedKey {
  readonly #parts: LimitedKeyParts;
  readonly #parked = new Set<ParkedJob>();
  readonly #held = new Map<Job, Place & { readonly begun: number; readonly start: Start }>();
  readonly #placesPatience = new Patience();
  readonly #startsPatience = new Patience();
  #fresh: Fresh[] = [];
  /** Places that wait for a start. */
  #spare: Place[] = [];
  #isAsking = false;
  /** Whether the last question brought fewer starts than there were places for. */
  #lacksStarts = false;

  constructor(parts: LimitedKeyParts) {
    this.#parts = parts;
  }

  get isIdle(): boolean {
    return (
      this.#parked.size === 0 &&
      this.#held.size === 0 &&
      this.#fresh.length === 0 &&
      this.#spare.length === 0 &&
      !this.#isAsking
    );
  }

  enter(job: Job): Admission | Promise<Admission> {
    if (this.#parked.size > 0 || !this.#isOpen(monotonicNow())) return this.#putOff(job);
    return new Promise((answer) => {
      this.#fresh.push({ job, answer });
      this.#ask();
    });
  }

  leave(job: Job): void {
    const held = this.#held.get(job);
    if (held === undefined) return;
    this.#held.delete(job);
    const { holding, permits } = this.#parts;
    permits.forget(held.start);
    holding.mean += (monotonicNow() - held.begun - holding.mean) / 8;
    this.#spare.push(held);
    this.#ask();
  }

  async renew(): Promise<void> {
    await this.#parts.permits.renew([...this.#held.values(), ...this.#spare].map(({ name }) => name));
  }

  /** Gives back what is left. */
  async stop(): Promise<void> {
    const { permits } = this.#parts;
    permits.giveBack(this.#spare.map(({ name }) => name));
    this.#spare = [];
    await permits.drain();
  }

  /** To be called again and again while somebody waits, now and then with a look at how long each has waited. */
  look(now: number, isThorough: boolean): void {
    if (isThorough) for (const parked of this.#parked) parked.checkTime(now);
    if ((this.#parked.size > 0 || this.#spare.length > 0) && this.#isOpen(now)) this.#ask();
  }

  /** Whether there is use in asking. */
  #isOpen(now: number): boolean {
    if (!this.#startsPatience.isOver(now)) return false;
    return this.#spare.length > 0 || (this.#most() > 0 && this.#placesPatience.isOver(now));
  }

  /** How many of those who wait here would find a slot, and may be let in at once. */
  #callable(): number {
    const { room } = this.#parts;
    const most = this.#most();
    let count = 0;
    let free: number | undefined;
    for (const parked of this.#parked) {
      if (parked.room === undefined) continue;
      free ??= parked.room() - room.asking;
      if (count >= free || count >= most) break;
      count += 1;
    }
    return count;
  }

  /** How many more the limit could let in here, if it were all this worker's. */
  #most(): number {
    return (this.#parts.limit.concurrency ?? Number.POSITIVE_INFINITY) - this.#held.size;
  }

  #ask(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    // Others of the same moment are asked for together.
    setImmediate(() => void this.#askOn());
  }

  async #askOn(): Promise<void> {
    try {
      while (await this.#askOnce());
    } catch (error) {
      this.#parts.onError(error);
      this.#startsPatience.waitFor(afterError);
    }
    this.#isAsking = false;
    if (!this.#isOpen(monotonicNow())) this.#putOffFresh();
    // Who came, or left, while the last question was under way.
    else if (this.#fresh.length > 0) this.#ask();
    this.#tidy();
  }

  /** One question for all who wait. Whether there is reason for another. */
  async #askOnce(): Promise<boolean> {
    const { permits, room } = this.#parts;
    const called = this.#callable();
    const wanted = called + this.#fresh.length;
    if (wanted === 0 || !this.#isOpen(monotonicNow())) return false;
    // Most questions are in vain where many workers ask: what one key hopes for must not silence all others.
    const likely = called * room.yield;
    let letIn = 0;
    room.asking += likely;
    try {
      await this.#takePlaces(wanted);
      const hoped = Math.min(wanted, this.#spare.length);
      if (hoped === 0) return false;
      const starts = await permits.takeStarts(hoped);
      letIn = starts.length;
      this.#lacksStarts = letIn < hoped;
      this.#startsPatience.waitFor(0);
      if (this.#lacksStarts) this.#startsPatience.wait(letIn > 0, this.#rangeOfStarts(), permits.nextEnd + 2);
      for (const start of starts) this.#letIn(start);
      return letIn === hoped;
    } finally {
      room.asking -= likely;
      room.yield += (Math.max(leastYield, letIn / wanted) - room.yield) / 16;
    }
  }

  async #takePlaces(wanted: number): Promise<void> {
    // More places are of no use while a place waits for a start.
    if (this.#spare.length > 0 && this.#lacksStarts) return;
    const more = Math.min(wanted, this.#most()) - this.#spare.length;
    if (more <= 0 || !this.#placesPatience.isOver()) return;
    const names = await this.#parts.permits.takePlaces(more);
    const since = monotonicNow();
    for (const name of names) this.#spare.push({ name, since });
    if (names.length < more) this.#placesPatience.wait(names.length > 0, this.#rangeOfPlaces());
  }

  /** Gives a place to the first who can use it. */
  #letIn(start: Start): void {
    if (this.#spare.length === 0) return;
    for (const parked of this.#parked) {
      if (parked.room === undefined) continue;
      this.#hold(parked.job, start);
      parked.end(undefined);
      return;
    }
    const fresh = this.#fresh.shift();
    if (fresh === undefined) return;
    this.#hold(fresh.job, start);
    fresh.answer(undefined);
  }

  #hold(job: Job, start: Start): void {
    const place = this.#spare.shift() as Place;
    this.#held.set(job, { ...place, begun: monotonicNow(), start });
    const { permits } = this.#parts;
    permits.keep(start);
    job.onBegin = () => permits.begin(start);
  }

  /** Lets others have the places that nobody here can use, or that were here for long. */
  #tidy(): void {
    if (this.#spare.length === 0 || this.#isAsking) return;
    const limit = monotonicNow() - longestKeeping;
    const usable = this.#callable();
    const kept = this.#spare.filter(({ since }) => since > limit).slice(0, usable);
    const given = this.#spare.filter((place) => !kept.includes(place));
    this.#spare = kept;
    this.#parts.permits.giveBack(given.map(({ name }) => name));
  }

  /** No more starts for now: who has a slot gives it up. */
  #putOffFresh(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    for (const { job, answer } of fresh) answer(this.#putOff(job));
  }

  #putOff(job: Job): Admission | Promise<Admission> {
    const { room, onGone } = this.#parts;
    // What was delivered before keeps its count of deliveries only as long as it is not published again.
    const mustStay = (job.delivery.deliveryCount ?? 1) > 1;
    if (!mustStay && (this.#parked.size >= this.#stock() || room.parked >= mostParked.inAll))
      return this.#sendAway(job);
    const onOut = (): void => {
      room.parked -= 1;
      this.#parked.delete(parked);
      if (this.#parked.size === 0) room.keys -= 1;
    };
    const parked = new ParkedJob(job, { onOut, onGone });
    if (this.#parked.size === 0) room.keys += 1;
    room.parked += 1;
    this.#parked.add(parked);
    return parked;
  }

  async #sendAway({ message: { hop } }: Job): Promise<Ended> {
    const { line, limit, onError } = this.#parts;
    const pace = this.#pace();
    const stocked = Math.max(100, this.#parked.size / pace);
    if (hop > 0) {
      const delay = Math.min(longestDelay.again, stocked * 2 ** Math.min(10, hop - 1)) * (0.5 + Math.random() / 2);
      return { kind: "limited", delay: Math.ceil(delay) };
    }
    const longest = limit.rate === undefined ? longestDelay.byGuess : longestDelay.byRate;
    try {
      return { kind: "limited", delay: Math.ceil(await line.join({ pace, stocked, longest })) };
    } catch (error) {
      onError(error);
      return { kind: "limited", delay: afterError };
    }
  }

  /** How many may wait here: enough to follow on those who run, few enough to leave some to other workers. */
  #stock(): number {
    const { limit } = this.#parts;
    return Math.min(mostParked.ofKey, Math.max(2, 2 * (limit.concurrency ?? 0), Math.ceil(this.#pace() * 2_000)));
  }

  /** Starts in a millisecond that the limit is likely to allow, over all workers. */
  #pace(): number {
    const { limit, holding } = this.#parts;
    const byRate = limit.rate === undefined ? Number.POSITIVE_INFINITY : limit.rate.limit / limit.rate.per;
    if (limit.concurrency === undefined) return byRate;
    const now = monotonicNow();
    let age = 0;
    for (const { begun } of this.#held.values()) age += now - begun;
    return Math.min(byRate, limit.concurrency / Math.max(1, holding.mean, age / Math.max(1, this.#held.size)));
  }

  /** A place that comes free is not left alone for long beside the time it is held, unless many keys ask for one. */
  #rangeOfPlaces(): PatienceRange {
    const { holding, room } = this.#parts;
    const soon = Math.max(4 * holding.mean, askingInterval * room.keys);
    const longest = Math.min(between(500, holding.mean / 2, 5_000), Math.max(50, soon));
    return { shortest: between(20, holding.mean / 2, 1_000), longest };
  }

  /** Whoever has a place has few rivals for a start, or none: it asks about as often as one comes free. */
  #rangeOfStarts(): PatienceRange {
    const { rate, concurrency } = this.#parts.limit;
    const { per, limit } = rate ?? { per: 0, limit: 1 };
    const wide = { shortest: between(10, per / 10, 1_000), longest: between(500, per / 2, 5_000) };
    if (concurrency === undefined) return wide;
    const pace = between(10, per / limit, wide.longest);
    return { shortest: Math.min(wide.shortest, pace / 2), longest: Math.min(wide.longest, 2 * pace) };
  }
}

function between(least: number, value: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
