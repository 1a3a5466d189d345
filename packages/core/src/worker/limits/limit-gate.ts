import { FailTask } from "../../errors.ts";
import { monotonicNow } from "../../lifecycle.ts";
import type { ResolvedLimit } from "../../limit.ts";
import { keySegment } from "../../state-segment.ts";
import type { StateStore } from "../../state-store.ts";
import { TurnoverMap } from "../../turnover.ts";
import type { Admission, Gate } from "../gate.ts";
import type { Job } from "../job.ts";
import { type Holding, LimitedKey, type Room } from "./limited-key.ts";
import { Line } from "./line.ts";
import { Permits } from "./permits.ts";

export interface LimitGateParts {
  readonly state: StateStore;
  /** Milliseconds of a lease: for how long the places of a worker that died stay taken. */
  readonly lease: number;
  readonly onError: (error: unknown) => void;
}

/** Milliseconds between two looks after those who wait. */
const interval = 10;
/** Milliseconds between two looks at how long each has waited. */
const thoroughInterval = 50;
/** Milliseconds that a place is believed to be taken, before one was. */
const firstHolding = 20;

/** Lets jobs in as the `limit` of their task allows, over all workers. For one queue of one worker. */
export function createLimitGate(parts: LimitGateParts): Gate {
  return new LimitGate(parts);
}

class LimitGate implements Gate {
  readonly #parts: LimitGateParts;
  readonly #keys = new Map<string, LimitedKey>();
  readonly #keyOf = new TurnoverMap<Job, string>();
  readonly #holdings = new Map<string, Holding>();
  readonly #room: Room = { parked: 0, keys: 0, asking: 0, yield: 1 };
  #timer: NodeJS.Timeout | undefined;
  #turn = 0;
  #thorough = 0;

  constructor(parts: LimitGateParts) {
    this.#parts = parts;
  }

  enter(job: Job): Admission | Promise<Admission> {
    const { limit } = job.handler.task.options;
    if (limit === undefined) return undefined;
    let segment: string;
    try {
      segment = segmentOf(limit, job);
    } catch (error) {
      return { kind: "threw", error, isFinal: true };
    }
    const id = `${job.message.task}/${segment}`;
    const key = this.#keys.get(id) ?? this.#open(id, { limit, task: job.message.task, segment });
    this.#keyOf.set(job, id);
    const admission = key.enter(job);
    if (!(admission instanceof Promise)) return this.#note(job, admission);
    return admission.then((answer) => this.#note(job, answer));
  }

  executed(job: Job): void {
    this.leave(job);
  }

  leave(job: Job): void {
    const id = this.#keyOf.get(job);
    if (id === undefined) return;
    this.#keyOf.delete(job);
    const key = this.#keys.get(id);
    key?.leave(job);
    if (key?.isIdle) this.#keys.delete(id);
  }

  async beat(): Promise<void> {
    for (const [id, key] of this.#keys) if (key.isIdle) this.#keys.delete(id);
    await Promise.all([...this.#keys.values()].map((key) => key.renew()));
  }

  async drain(): Promise<void> {
    this.#rest();
    await Promise.all([...this.#keys.values()].map((key) => key.stop()));
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #note(job: Job, admission: Admission): Admission {
    if (admission?.kind === "parked") this.#timer ??= setInterval(() => this.#look(), interval);
    else if (admission !== undefined) this.#keyOf.delete(job);
    return admission;
  }

  #open(id: string, { limit, task, segment }: { limit: ResolvedLimit; task: string; segment: string }): LimitedKey {
    const { state, lease, onError } = this.#parts;
    const holding = this.#holdings.get(task) ?? { mean: firstHolding };
    this.#holdings.set(task, holding);
    const at = ["limits", task, segment];
    const key = new LimitedKey({
      limit,
      permits: new Permits({ state, ttl: lease, onError }, limit, at),
      line: new Line(state, at),
      room: this.#room,
      holding,
      onGone: (job) => this.leave(job),
      onError,
    });
    this.#keys.set(id, key);
    return key;
  }

  #look(): void {
    const now = monotonicNow();
    const isThorough = now - this.#thorough >= thoroughInterval;
    if (isThorough) this.#thorough = now;
    const keys = [...this.#keys];
    // Whoever is first finds slots that others do not: each has its turn.
    this.#turn = (this.#turn + 1) % Math.max(1, keys.length);
    for (const [id, key] of [...keys.slice(this.#turn), ...keys.slice(0, this.#turn)]) {
      key.look(now, isThorough);
      if (key.isIdle) this.#keys.delete(id);
    }
    if (this.#room.parked === 0) this.#rest();
  }
}

/** @throws FailTask where the user's key function gives no key. */
function segmentOf(limit: ResolvedLimit, { input, message }: Job): string {
  if (limit.key === undefined) return "all";
  const key: unknown = limit.key(input);
  if (typeof key !== "string") {
    throw new FailTask(`The key of the limit of ${message.task}: expected a string, got ${typeof key}.`);
  }
  return keySegment(key);
}
