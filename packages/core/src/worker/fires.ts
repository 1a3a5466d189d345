import type { Logger } from "../logger.ts";
import type { StoredOutcome } from "../outcome.ts";
import type { Overlap } from "../schedule.ts";
import { executionKey, overlapHeader, scheduleHeader, turnKey } from "../schedules/record.ts";
import type { StateEntry, StateKey, StateStore } from "../state-store.ts";
import { decodeValue, encodeValue } from "../state-value.ts";
import type { Gate } from "./gate.ts";
import type { Ended, Job } from "./job.ts";

export interface FireParts {
  readonly state: StateStore;
  readonly worker: string;
  /** Milliseconds for which a claim stands unless renewed. */
  readonly lease: number;
  readonly logger: Logger;
}

/** Milliseconds for which it is known that a fire was executed: longer than any scheduler stands still and then goes on. */
const doneTtl = 86_400_000;
/** Milliseconds until a fire that has to wait is looked at again. */
const patience = 1_000;

/** What a worker wrote into the state store. */
interface Note {
  readonly key: StateKey;
  readonly value: FireRecord;
  revision: string;
}

interface FireRecord {
  readonly fire: string;
  readonly run: number;
  readonly worker: string;
  readonly isDone: boolean;
}

interface Held {
  readonly execution: Note;
  /** Of schedules whose fires must not overlap. */
  readonly turn: Note | undefined;
  /** Writes follow each other. */
  tail: Promise<void>;
}

/**
 * Executes each fire of a schedule once, and one after the other where the schedule says so. Two messages of one fire can
 * come where a broker recognises none that it has seen, or a scheduler stood still for long; the claim in the state store
 * lets one in.
 */
export class Fires implements Gate {
  readonly #parts: FireParts;
  readonly #held = new Map<Job, Held>();
  readonly #writes = new Set<Promise<void>>();

  constructor(parts: FireParts) {
    this.#parts = parts;
  }

  enter(job: Job): Ended | undefined | Promise<Ended | undefined> {
    const { headers } = job.message;
    if (headers === undefined || headers[scheduleHeader] === undefined || job.options.broadcast) return undefined;
    return this.#enter(job, headers[scheduleHeader], headers[overlapHeader] as Overlap | undefined);
  }

  ended(job: Job, ended: Ended): void {
    const held = this.#take(job);
    if (held === undefined) return;
    const waits = untilNext(job, ended);
    this.#write(held, () => (waits === undefined ? this.#finish(held) : this.#interrupt(held, waits)));
  }

  leave(job: Job): void {
    const held = this.#take(job);
    if (held !== undefined) this.#write(held, () => this.#interrupt(held, 0));
  }

  async beat(jobs: readonly Job[]): Promise<void> {
    const held = jobs.flatMap((job) => this.#held.get(job) ?? []);
    for (const one of held) this.#write(one, () => this.#renew(one));
    await Promise.all(held.map(({ tail }) => tail));
  }

  /** Resolves once all is written. */
  async stop(): Promise<void> {
    await Promise.all(this.#writes);
  }

  async #enter(job: Job, schedule: string, overlap: Overlap = "allow"): Promise<Ended | undefined> {
    const { id, run } = job.message;
    const value: FireRecord = { fire: id, run, worker: this.#parts.worker, isDone: false };
    try {
      const execution = await this.#claim(executionKey(id), value, (found) => found.isDone && found.run < run);
      if ("current" in execution) return refuse(job, execution.current);
      if (overlap === "allow") return this.#admit(job, { execution, turn: undefined });
      const turn = await this.#claim(turnKey(schedule), value, (found) => found.fire === id);
      if (!("current" in turn)) return this.#admit(job, { execution, turn });
      if (overlap === "queue") {
        await this.#drop(execution);
        return { kind: "later", delay: patience };
      }
      await this.#done(execution);
      const reason = `An earlier fire of the schedule "${schedule}" is still executed, and it says \`overlap: "skip"\`.`;
      return { kind: "cancelled", code: "TASK_CANCELLED", reason };
    } catch (error) {
      this.#parts.logger.warn({ error, id }, "the state store could not be asked whether a fire may start: later");
      return { kind: "later", delay: patience };
    }
  }

  #admit(job: Job, notes: Pick<Held, "execution" | "turn">): undefined {
    this.#held.set(job, { ...notes, tail: Promise.resolve() });
    return undefined;
  }

  async #claim(
    key: StateKey,
    value: FireRecord,
    mayReplace: (found: FireRecord) => boolean,
  ): Promise<Note | { readonly current: StateEntry | undefined }> {
    const { state, lease } = this.#parts;
    const put = { key, value: encode(value), ttl: lease };
    const [first] = await state.put([{ ...put, expect: "absent" }]);
    if (first?.status === "written") return { key, value, revision: first.revision };
    const current = first?.current;
    if (current === undefined || !mayReplace(decode(current))) return { current };
    const [second] = await state.put([{ ...put, expect: { revision: current.revision } }]);
    return second?.status === "written" ? { key, value, revision: second.revision } : { current: second?.current };
  }

  #take(job: Job): Held | undefined {
    const held = this.#held.get(job);
    this.#held.delete(job);
    return held;
  }

  async #finish({ execution, turn }: Held): Promise<void> {
    await this.#done(execution);
    if (turn !== undefined) await this.#drop(turn);
  }

  /** It comes again: its turn is kept until then, so that no other fire comes between. */
  async #interrupt({ execution, turn }: Held, waits: number): Promise<void> {
    await this.#drop(execution);
    if (turn !== undefined) await this.#put(turn, turn.value, this.#parts.lease + waits);
  }

  async #renew({ execution, turn }: Held): Promise<void> {
    for (const note of [execution, turn]) {
      if (note !== undefined) await this.#put(note, note.value, this.#parts.lease);
    }
  }

  #done(note: Note): Promise<void> {
    return this.#put(note, { ...note.value, isDone: true }, doneTtl);
  }

  async #put(note: Note, value: FireRecord, ttl: number): Promise<void> {
    const expect = { revision: note.revision };
    const [result] = await this.#parts.state.put([{ key: note.key, value: encode(value), ttl, expect }]);
    if (result?.status === "written") note.revision = result.revision;
  }

  async #drop({ key, revision }: Note): Promise<void> {
    await this.#parts.state.delete([{ key, expect: { revision } }]);
  }

  #write(held: Held, write: () => Promise<void>): void {
    const onError = (error: unknown): void =>
      this.#parts.logger.warn(
        { error },
        "what became of a fire could not be written: its claim stands until it expires",
      );
    held.tail = held.tail.then(write).catch(onError);
    const { tail } = held;
    this.#writes.add(tail);
    void tail.then(() => this.#writes.delete(tail));
  }
}

/** Milliseconds until it is tried again, at most; `undefined` when it is over. */
function untilNext({ message, options, isAcknowledged }: Job, ended: Ended): number | undefined {
  switch (ended.kind) {
    case "later":
    case "limited":
      return isAcknowledged ? undefined : ended.delay;
    case "stopping":
      return isAcknowledged ? undefined : 0;
    case "threw":
    case "timedOut": {
      const isLast = isAcknowledged || message.attempt + 1 >= options.retry.attempts;
      return isLast || (ended.kind === "threw" && ended.isFinal) ? undefined : options.retry.backoff.to;
    }
    case "leaseLost":
      return 0;
    default:
      return undefined;
  }
}

function refuse({ message }: Job, current: StateEntry | undefined): Ended {
  if (current === undefined || !decode(current).isDone) return { kind: "later", delay: patience };
  const { id, run, task, attempt, enqueuedAt } = message;
  const now = Date.now();
  const outcome: StoredOutcome = {
    id,
    run,
    task,
    attempt,
    status: "succeeded",
    enqueuedAt,
    finishedAt: now,
    worker: decode(current).worker,
    ttl: 0,
  };
  return { kind: "repeated", outcome };
}

function encode(record: FireRecord): Uint8Array {
  return encodeValue(record);
}

function decode({ value }: StateEntry): FireRecord {
  return decodeValue(value);
}
