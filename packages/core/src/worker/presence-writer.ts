import { randomBytes } from "node:crypto";
import { availableParallelism, hostname, loadavg } from "node:os";
import type { Logger } from "../logger.ts";
import { encodePresence, maxPresentQueues, maxPresentTasks, presencePrefix, type WorkerInfo } from "../presence.ts";
import type { StateKey, StateStore } from "../state-store.ts";
import type { Conveyor } from "./conveyor.ts";
import { measureLateness } from "./loop-lateness.ts";

export interface PresenceParts {
  readonly state: StateStore;
  /** Milliseconds between two writes; what is written is forgotten after three times as long. */
  readonly interval: number;
  readonly worker: string;
  readonly conveyors: readonly Conveyor[];
  /** What the worker knows of itself. */
  readonly look: () => {
    readonly state: string;
    readonly isConnected: boolean;
    readonly memory: number;
    /** Milliseconds by which an event loop apart was late. */
    readonly lateness: number;
  };
  readonly logger: Logger;
}

export interface OpenPresenceParts {
  readonly state?: StateStore | undefined;
  readonly presence: number | undefined;
  readonly crew: { takeLateness(): number };
  readonly conveyors: readonly Conveyor[];
}

/** Nothing waits for it: whoever asks for live workers hears of this one a moment later. */
export function openPresence(
  worker: { readonly name: string; status(): Omit<ReturnType<PresenceParts["look"]>, "lateness"> },
  logger: Logger,
  { state, presence, crew, conveyors }: OpenPresenceParts,
): PresenceWriter | undefined {
  if (state === undefined || presence === undefined) return undefined;
  const look: PresenceParts["look"] = () => ({ ...worker.status(), lateness: crew.takeLateness() });
  return new PresenceWriter({ state, interval: presence, worker: worker.name, conveyors, look, logger });
}

/** Says in the state store, again and again, that a worker lives, and what it does. */
export class PresenceWriter {
  readonly #parts: PresenceParts;
  /** Names of workers may be given, and then several have the same. */
  readonly #key: StateKey;
  readonly #timer: NodeJS.Timeout;
  readonly #lateness = measureLateness();
  readonly #startedAt = Date.now();
  /** What had ended at the last write, by conveyor, and when that was. */
  readonly #before = new Map<Conveyor, Conveyor["counts"]>();
  #measuredAt = performance.now();
  #writing: Promise<void> | undefined;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    this.#key = [...presencePrefix, parts.worker, randomBytes(6).toString("hex")];
    this.#timer = setInterval(() => this.tell(), parts.interval).unref();
    this.tell();
  }

  /** Writes now, unless a write is under way. */
  tell(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** The worker is no more. */
  async stop(): Promise<void> {
    const { state, logger } = this.#parts;
    clearInterval(this.#timer);
    this.#lateness.stop();
    await this.#writing;
    try {
      await state.delete([{ key: this.#key }]);
    } catch (error) {
      logger.debug({ error }, "the end of this worker could not be told: it shows until it is forgotten");
    }
  }

  async #write(): Promise<void> {
    const { state, interval, logger } = this.#parts;
    try {
      await state.put([{ key: this.#key, value: encodePresence(this.#describe()), ttl: 3 * interval }]);
    } catch (error) {
      logger.warn({ error }, "it could not be told that this worker lives");
    }
  }

  #describe(): WorkerInfo {
    const { worker, conveyors, look } = this.#parts;
    const { state, isConnected, memory, lateness } = look();
    const queues = this.#describeQueues();
    const tasks = conveyors
      .flatMap((conveyor) => conveyor.runningTasks)
      .toSorted((one, other) => one.startedAt - other.startedAt);
    return {
      name: worker,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      at: Date.now(),
      queues: queues.slice(0, maxPresentQueues),
      running: queues.reduce((sum, { running }) => sum + running, 0),
      tasks: tasks.slice(0, maxPresentTasks),
      load: loadavg()[0] ?? 0,
      processors: availableParallelism(),
      state: state === "running" ? "running" : "stopping",
      isConnected,
      memory,
      eventLoopDelay: Math.round(Math.max(lateness, this.#lateness.take())),
    };
  }

  #describeQueues(): WorkerInfo["queues"] {
    const now = performance.now();
    const seconds = Math.max(1, now - this.#measuredAt) / 1_000;
    const rate = (now: number, before = 0): number => Number(((now - before) / seconds).toPrecision(3));
    const described = this.#parts.conveyors.map((conveyor) => {
      const { queue, counts } = conveyor;
      const before = this.#before.get(conveyor);
      this.#before.set(conveyor, counts);
      const perSecond = rate(counts.executed, before?.executed);
      return { queue, ...counts, perSecond, failedPerSecond: rate(counts.failed, before?.failed) };
    });
    this.#measuredAt = now;
    return described;
  }
}
