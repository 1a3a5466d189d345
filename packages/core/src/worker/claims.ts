import { randomBytes } from "node:crypto";
import { createBatcher } from "../batcher.ts";
import { AbortedError } from "../errors.ts";
import { monotonicNow } from "../lifecycle.ts";
import type { StateDelete, StateEntry, StatePut, StatePutResult, StateStore } from "../state-store.ts";
import { decodeValue, encodeValue } from "../state-value.ts";
import type { Admission, Gate } from "./gate.ts";
import { isFinal } from "./is-final.ts";
import type { Ended, Job } from "./job.ts";
import { ParkedJob } from "./parked-job.ts";

export interface ClaimParts {
  readonly state: StateStore;
  /** Milliseconds for which a claim stands unless renewed. */
  readonly lease: number;
  readonly onError: (error: unknown) => void;
}

/** What the state store says of a task with a claim. */
interface ClaimRecord {
  readonly run: number;
  /** One execution: no two have the same. */
  readonly holder: string;
  readonly isDone: boolean;
}

interface Held {
  readonly record: ClaimRecord;
  revision: string;
  /** Another may have the task by now. */
  isLost: boolean;
  /** Writes follow each other. */
  tail: Promise<unknown>;
}

/** Milliseconds that a handler has to end after its claim was lost. */
const grace = 1_000;
/** Milliseconds between two looks after a claim that another has, at most. */
const longestPause = 1_000;

const repeated: Ended = { kind: "repeated", outcome: undefined };

/**
 * Lets one execution of a task with `claim` run at a time, and none after one that has ended it: whatever was delivered
 * again waits for the claim of the other to end. What has lost its claim meanwhile ends without effect.
 */
export class Claims implements Gate {
  readonly #parts: ClaimParts;
  readonly #puts: { add(put: StatePut): Promise<StatePutResult> };
  readonly #deletes: { add(one: StateDelete): Promise<boolean> };
  readonly #maker = randomBytes(9).toString("base64url");
  readonly #held = new Map<Job, Held>();
  readonly #waiting = new Set<ParkedJob>();
  readonly #asking = new Set<ParkedJob>();
  readonly #writes = new Set<Promise<unknown>>();
  #made = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ClaimParts) {
    this.#parts = parts;
    const { state } = parts;
    const batch = { maxItems: 500, maxInFlight: 4 };
    this.#puts = createBatcher({ run: (puts: readonly StatePut[]) => state.put(puts), ...batch });
    this.#deletes = createBatcher({ run: (deletes: readonly StateDelete[]) => state.delete(deletes), ...batch });
  }

  enter(job: Job): Admission | Promise<Admission> {
    const { claim, acknowledge } = job.options;
    return claim && acknowledge !== "received" ? this.#enter(job) : undefined;
  }

  /** @returns how the job ends instead, where another may have its task by now. */
  confirm(job: Job): Promise<Ended | undefined> | undefined {
    const held = this.#held.get(job);
    return held === undefined ? undefined : this.#confirm(job, held);
  }

  ended(job: Job, ended: Ended): void {
    const held = this.#held.get(job);
    if (held === undefined || !isFinal(job, ended)) return;
    this.#held.delete(job);
    const put = toPut(job, { ...held.record, isDone: true }, job.options.resultTtl);
    this.#write(held, () => this.#puts.add({ ...put, expect: { revision: held.revision } }));
  }

  leave(job: Job): void {
    const held = this.#held.get(job);
    if (held === undefined) return;
    this.#held.delete(job);
    this.#write(held, async () => {
      await this.#deletes.add({ key: keyOf(job), expect: { revision: held.revision } });
      // The next attempt may have come here meanwhile.
      if (this.#waiting.size > 0) this.#look();
    });
  }

  async beat(jobs: readonly Job[]): Promise<void> {
    const own = jobs.flatMap((job) => {
      const held = this.#held.get(job);
      return held === undefined ? [] : [{ job, held }];
    });
    await Promise.all(own.map(({ job, held }) => this.#renew(job, held)));
  }

  async drain(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#writes);
  }

  async #enter(job: Job): Promise<Admission> {
    const found = await this.#claim(job);
    if (found !== "taken") return found;
    const parked = new ParkedJob(job, {
      onOut: () => void this.#waiting.delete(parked),
      onGone: (gone) => this.leave(gone),
    });
    this.#waiting.add(parked);
    this.#timer ??= setInterval(() => this.#look(), Math.min(longestPause, Math.max(10, this.#parts.lease / 10)));
    return parked;
  }

  /** `undefined`: this job has the claim now. */
  async #claim(job: Job): Promise<Ended | "taken" | undefined> {
    const { lease, onError } = this.#parts;
    this.#made += 1;
    const record = { run: job.message.run, holder: `${this.#maker}.${this.#made.toString(36)}`, isDone: false };
    const put = toPut(job, record, lease);
    try {
      let result = await this.#puts.add({ ...put, expect: "absent" });
      const standing = result.status === "conflict" && result.current;
      if (standing) {
        const { run, isDone } = decode(standing);
        if (run > record.run || (isDone && run === record.run)) return repeated;
        if (!isDone) return "taken";
        result = await this.#puts.add({ ...put, expect: { revision: standing.revision } });
      }
      if (result.status === "conflict") return "taken";
      this.#held.set(job, { record, revision: result.revision, isLost: false, tail: Promise.resolve() });
      return undefined;
    } catch (error) {
      onError(error);
      return "taken";
    }
  }

  #look(): void {
    const now = monotonicNow();
    for (const parked of this.#waiting) {
      parked.checkTime(now);
      if ((parked.room?.() ?? 0) > 0 && !this.#asking.has(parked)) void this.#askAgain(parked);
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #askAgain(parked: ParkedJob): Promise<void> {
    this.#asking.add(parked);
    const found = await this.#claim(parked.job);
    this.#asking.delete(parked);
    if (parked.isOut) this.leave(parked.job);
    else if (found !== "taken") parked.end(found);
  }

  async #confirm(job: Job, held: Held): Promise<Ended | undefined> {
    try {
      if (await this.#renew(job, held)) return undefined;
    } catch (error) {
      // The result backend's first-wins rule decides, should another have begun meanwhile.
      this.#parts.onError(error);
      return undefined;
    }
    return { kind: "stopping" };
  }

  /** Whether the claim still stands. A handler that runs without it is told to end. */
  async #renew(job: Job, held: Held): Promise<boolean> {
    if (held.isLost) return false;
    const put = toPut(job, held.record, this.#parts.lease);
    const writing = held.tail.then(() => this.#puts.add({ ...put, expect: { revision: held.revision } }));
    held.tail = writing.catch(() => undefined);
    const result = await writing;
    if (result.status === "written") held.revision = result.revision;
    else if (result.current !== undefined && decode(result.current).holder === held.record.holder)
      // The answer to an earlier write of its own was lost.
      held.revision = result.current.revision;
    else this.#lose(job, held);
    return !held.isLost;
  }

  #lose(job: Job, held: Held): void {
    held.isLost = true;
    job.abort(new AbortedError("LEASE_LOST", `The claim of task ${job.message.id} was lost: another may run it now.`));
    setTimeout(() => job.giveUp(), grace).unref();
  }

  #write({ isLost, tail }: Held, write: () => Promise<unknown>): void {
    if (isLost) return;
    const writing = tail.then(write).catch(this.#parts.onError);
    this.#writes.add(writing);
    void writing.then(() => this.#writes.delete(writing));
  }
}

function keyOf({ message }: Job): StateEntry["key"] {
  return ["claims", message.id];
}

function toPut(job: Job, record: ClaimRecord, ttl: number): StatePut & { readonly ttl: number } {
  return { key: keyOf(job), value: encodeValue(record), ttl };
}

function decode({ value }: StateEntry): ClaimRecord {
  return decodeValue(value);
}
