import type { Logger } from "../logger.ts";
import { encodeStage, stageKey, type TaskStage } from "../stage.ts";
import type { StatePut, StateStore } from "../state-store.ts";
import { TurnoverMap } from "../turnover.ts";
import type { Gate } from "./gate.ts";
import type { Ended, Job } from "./job.ts";
import type { Verdict } from "./settle.ts";

export interface StageParts {
  readonly state: StateStore;
  readonly worker: string;
  /** Milliseconds of a lease: what says that a task runs lives twice as long, and is renewed while it does. */
  readonly lease: number;
  readonly logger: Logger;
}

/** Milliseconds between two writes. */
const interval = 100;

/**
 * Says in the state store how far tracked tasks are: at most one batch each `interval`, the newest of each task. One that
 * begins and ends between two batches is never written.
 */
export class StageWriter implements Gate {
  readonly #parts: StageParts;
  /** What is to be written next, by id; `undefined`: nothing stands there any more. */
  #pending = new Map<string, StatePut | undefined>();
  /** Whether it was written of those that run here, by id. */
  readonly #running = new TurnoverMap<string, boolean>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: StageParts) {
    this.#parts = parts;
  }

  enter(): undefined {
    return undefined;
  }

  starting(job: Job): void {
    if (!job.options.track) return;
    this.#running.set(job.message.id, false);
    this.#tellRunning(job);
  }

  ended({ message, delivery, options }: Job, _ended: Ended, { then }: Verdict): void {
    if (!options.track) return;
    const { id, attempt, hop } = message;
    const isWritten = this.#running.get(id) === true;
    this.#running.delete(id);
    if (then.kind === "retry" && then.isLimited !== true) {
      const at = Date.now();
      const { worker } = this.#parts;
      const stage: TaskStage = { name: "retrying", at, attempt: then.attempt, worker, dueAt: at + then.delay };
      this.#tell(id, { key: stageKey(id), value: encodeStage(stage), ttl: then.delay + options.resultTtl });
      return;
    }
    const isFirst = attempt === 0 && hop === 0 && delivery.deliveryCount === 1;
    if (isFirst && !isWritten) this.#pending.delete(id);
    else this.#tell(id, undefined);
  }

  /** What was lost belongs to another worker, which says the rest. */
  leave({ message: { id } }: Job): void {
    if (this.#running.delete(id)) this.#pending.delete(id);
  }

  async beat(jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) if (job.options.track && job.execution !== undefined) this.#tellRunning(job);
  }

  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#flush();
  }

  #tellRunning({ message: { id, attempt }, startedAt }: Job): void {
    const { worker, lease } = this.#parts;
    const value = encodeStage({ name: "running", at: startedAt, attempt, worker });
    this.#tell(id, { key: stageKey(id), value, ttl: 2 * lease });
  }

  #tell(id: string, put: StatePut | undefined): void {
    this.#pending.set(id, put);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#flush();
    }, interval);
  }

  #flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = new Map();
    for (const id of pending.keys()) if (this.#running.has(id)) this.#running.set(id, true);
    if (pending.size > 0) this.#writing = this.#writing.then(() => this.#write([...pending]));
    return this.#writing;
  }

  async #write(pending: readonly (readonly [string, StatePut | undefined])[]): Promise<void> {
    const { state, logger } = this.#parts;
    const puts = pending.flatMap(([, put]) => put ?? []);
    const deletes = pending.flatMap(([id, put]) => (put === undefined ? [{ key: stageKey(id) }] : []));
    try {
      await Promise.all([puts.length > 0 && state.put(puts), deletes.length > 0 && state.delete(deletes)]);
    } catch (error) {
      logger.warn({ error }, "it could not be told how far tracked tasks are");
    }
  }
}
