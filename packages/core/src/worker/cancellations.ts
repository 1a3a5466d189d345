import { createBatcher } from "../batcher.ts";
import {
  type Cancellation,
  cancellationKey,
  encodeRecord,
  endedCancellationTtl,
  type RunningRecord,
  runningKey,
} from "../cancellation.ts";
import { AbortedError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Message } from "../message.ts";
import type { StateEntry, StateKey, StatePut, StateStore } from "../state-store.ts";
import { TurnoverSet } from "../turnover.ts";
import { CancellationMirror } from "./cancellation-mirror.ts";
import type { Gate } from "./gate.ts";
import type { Ended, Job } from "./job.ts";

export interface CancellationParts {
  readonly state: StateStore;
  readonly worker: string;
  /** Milliseconds of a lease: what says that a task runs lives as long. */
  readonly lease: number;
  /**
   * Whether the records are read for each delivery, in batches, besides being mirrored: where the broker cannot take a
   * message back, this alone proves that what was cancelled before never starts.
   */
  readonly isAskedEachTime: boolean;
  readonly logger: Logger;
}

/**
 * Keeps what was cancelled from starting, and ends it where it runs. A record that arrives aborts what runs; the
 * heartbeat reads the records of what runs as well, for those that did not arrive.
 */
export class Cancellations implements Gate {
  readonly #parts: CancellationParts;
  readonly #mirror: CancellationMirror;
  readonly #running = new TurnoverSet<Job>();
  /** Of which the state store says that it runs. */
  readonly #told = new Set<string>();
  readonly #reads: { add(id: string): Promise<StateEntry | undefined> };

  constructor(parts: CancellationParts) {
    this.#parts = parts;
    const { state, logger } = parts;
    this.#reads = createBatcher({
      run: (ids: readonly string[]) => state.get(ids.map(cancellationKey)),
      maxItems: 500,
      maxInFlight: 4,
    });
    this.#mirror = new CancellationMirror({ state, logger, onRecord: (id, record) => this.#abort(id, record) });
  }

  enter(job: Job): Ended | undefined | Promise<Ended | undefined> {
    const isKnown = this.#mirror.isComplete && !this.#parts.isAskedEachTime;
    return isKnown || this.#find(job.message) !== undefined ? this.#admit(job) : this.#ask(job);
  }

  leave(job: Job): void {
    const { id } = job.message;
    this.#running.delete(job);
    if (this.#told.size > 0 && this.#told.delete(id)) void this.#forgetRunning([id]);
  }

  /** Its outcome stands: the record is only there for copies of its message now. */
  ended({ message }: Job, ended: Ended): void {
    const record = this.#mirror.find(message.id);
    if (ended.kind !== "cancelled" || record === undefined || !concerns(record, message)) return;
    const value = encodeRecord(record);
    void this.#write([{ key: cancellationKey(message.id), value, ttl: endedCancellationTtl }]);
  }

  async beat(jobs: readonly Job[]): Promise<void> {
    const { state, worker, lease } = this.#parts;
    const entry = ({ message: { id, run }, startedAt }: Job): StatePut => {
      const record: RunningRecord = { run, worker, startedAt };
      return { key: runningKey(id), value: encodeRecord(record), ttl: lease };
    };
    // What waits for a limit does not run yet.
    const running = jobs.filter(({ startedAt }) => startedAt > 0);
    await state.put(running.map(entry));
    const ids = running.map(({ message }) => message.id);
    const names = [...new Set(jobs.flatMap(({ message }) => namesOf(message)))];
    for (const id of ids) this.#told.add(id);
    const left = new Set([...this.#running].map(({ message }) => message.id));
    const gone = ids.filter((id) => !left.has(id) && this.#told.delete(id));
    if (gone.length > 0) void this.#forgetRunning(gone);
    for (const record of await state.get(names.map(cancellationKey))) {
      if (record !== undefined) this.#mirror.learn(record);
    }
  }

  stop(): Promise<void> {
    return this.#mirror.stop();
  }

  async #ask(job: Job): Promise<Ended | undefined> {
    try {
      const entries = await Promise.all(namesOf(job.message).map((id) => this.#reads.add(id)));
      for (const entry of entries) if (entry !== undefined) this.#mirror.learn(entry);
    } catch (error) {
      this.#parts.logger.warn({ error }, "could not ask for cancellations: the heartbeat will ask again");
    }
    return this.#admit(job);
  }

  #admit(job: Job): Ended | undefined {
    const record = this.#find(job.message);
    if (record !== undefined) return { kind: "cancelled", code: "TASK_CANCELLED", reason: record.reason };
    this.#running.add(job);
    return undefined;
  }

  #find(message: Message): Cancellation | undefined {
    if (this.#mirror.isEmpty) return undefined;
    for (const id of namesOf(message)) {
      const record = this.#mirror.find(id);
      if (record !== undefined && concerns(record, message)) return record;
    }
    return undefined;
  }

  #abort(id: string, record: Cancellation): void {
    for (const job of [...this.#running]) {
      const { message } = job;
      if (message.id === id || (message.id.startsWith(`${id}:`) && namesOf(message).includes(id)))
        this.#abortJob(job, record);
    }
  }

  #abortJob(job: Job, record: Cancellation): void {
    if (!concerns(record, job.message)) return;
    job.abort(new AbortedError("TASK_CANCELLED", record.reason));
    // The process may end before: the record is there for whoever takes the task next.
    if (record.grace !== undefined) setTimeout(() => job.giveUp(), record.grace).unref();
  }

  async #write(entries: readonly StatePut[]): Promise<void> {
    try {
      await this.#parts.state.put(entries);
    } catch (error) {
      this.#parts.logger.warn({ error }, "the record of a cancellation is kept for longer than it is needed");
    }
  }

  async #forgetRunning(ids: readonly string[]): Promise<void> {
    try {
      await this.#parts.state.delete(ids.map((id): { readonly key: StateKey } => ({ key: runningKey(id) })));
    } catch (error) {
      this.#parts.logger.warn({ error }, "tasks that have ended are called running until their records expire");
    }
  }
}

const alone = (id: string): readonly string[] => [id];

/** The ids whose cancellation is that of a task: its own, and those of the groups and workflows that it is a step of. */
function namesOf({ id, plan }: Message): readonly string[] {
  if (plan === undefined) return alone(id);
  const parts = id.split(":");
  return parts.map((_, index) => parts.slice(0, index + 1).join(":")).toReversed();
}

function concerns(record: Cancellation, message: Pick<Message, "run">): boolean {
  return message.run <= record.run;
}
