import { type Logger, monotonicNow } from "@taskferry/core";
import { type WorkerExit, WorkerProcess } from "./worker-process.ts";

export interface SlotParts {
  /** What follows `taskferry` on the command line of a worker. */
  readonly args: readonly string[];
  readonly logger: Logger;
  /** Whether a worker that ends by itself is started again. False: it waits to be replaced. */
  readonly restarts: boolean;
  /** Milliseconds that a stop may take before the process is killed. */
  readonly stopLimit: number;
  /** Told which queues the workers work on. */
  readonly onQueues: (queues: readonly string[]) => void;
}

/** Milliseconds before a worker that crashed is started again: doubling from one crash to the next. */
const shortestPause = 250;
const longestPause = 30_000;
/** Milliseconds after which a crash counts as the first again. */
const soundLife = 60_000;

/** The place of one worker process, and of those that follow it. */
export class Slot {
  readonly #parts: SlotParts;
  readonly #processes = new Set<WorkerProcess>();
  #current: WorkerProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #crashes = 0;
  #replacing: Promise<void> | undefined;
  #isEnding = false;

  constructor(parts: SlotParts) {
    this.#parts = parts;
  }

  get isReady(): boolean {
    return [...this.#processes].some(({ isReady }) => isReady);
  }

  /** What its worker has measured; `undefined` when it does not say so within `limit` milliseconds. */
  async measure(limit: number): Promise<unknown> {
    return this.#current?.measure(limit);
  }

  start(): WorkerProcess {
    clearTimeout(this.#timer);
    const { args, logger, onQueues } = this.#parts;
    const since = monotonicNow();
    const started = new WorkerProcess({
      args,
      logger,
      onQueues,
      onRecycle: (why) => {
        logger.info({ pid: started.pid, why }, "a worker process is replaced");
        void this.replace();
      },
    });
    this.#current = started;
    this.#processes.add(started);
    void started.ended.then((exit) => this.#onExit(started, exit, monotonicNow() - since));
    return started;
  }

  /** Starts a new process, and stops the former once the new one takes tasks; if it never does, the former goes on. */
  replace(): Promise<void> {
    this.#replacing ??= this.#replace().finally(() => {
      this.#replacing = undefined;
    });
    return this.#replacing;
  }

  /** Stops the process, and starts a new one when it has ended. */
  restart(): void {
    if (this.#isEnding) return;
    const former = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    if (former === undefined) {
      if (this.#processes.size === 0) this.start();
      return;
    }
    void this.#stop(former).then(() => {
      if (!this.#isEnding && this.#current === undefined) this.start();
    });
  }

  /** Resolves to whether all ended well. */
  async end(): Promise<boolean> {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const exits = await Promise.all([...this.#processes].map((one) => this.#stop(one)));
    // A signal may reach it before it listens: then nothing of it had begun.
    return exits.every(({ code, signal }) => code === 0 || signal === "SIGINT" || signal === "SIGTERM");
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isEnding = true;
    for (const one of this.#processes) one.kill(signal);
  }

  async #replace(): Promise<void> {
    const former = this.#current;
    if (this.#isEnding) return;
    if (former === undefined) return void this.start();
    const next = this.start();
    if (await next.started) {
      await this.#stop(former);
      return;
    }
    if (this.#isEnding) return;
    // The end of the new one must not start another beside the former.
    clearTimeout(this.#timer);
    this.#current = this.#processes.has(former) ? former : this.start();
    this.#parts.logger.error({ pid: former.pid }, "the new worker process did not start: the former goes on");
  }

  async #stop(one: WorkerProcess): Promise<WorkerExit> {
    one.askToStop();
    const timer = setTimeout(() => {
      this.#parts.logger.error({ pid: one.pid }, "a worker process did not stop in time: it is killed");
      one.kill("SIGKILL");
    }, this.#parts.stopLimit);
    const exit = await one.ended;
    clearTimeout(timer);
    return exit;
  }

  #onExit(ended: WorkerProcess, { code, signal }: WorkerExit, life: number): void {
    this.#processes.delete(ended);
    if (ended !== this.#current || this.#isEnding) return;
    this.#current = undefined;
    const { logger, restarts } = this.#parts;
    if (!restarts) {
      logger.warn({ pid: ended.pid, code, signal }, "the worker process has ended: waiting for a change");
      return;
    }
    this.#crashes = life > soundLife ? 1 : this.#crashes + 1;
    const pause = Math.min(longestPause, shortestPause * 2 ** (this.#crashes - 1));
    logger.error({ pid: ended.pid, code, signal, pause }, "a worker process has ended: a new one is started");
    this.#timer = setTimeout(() => this.start(), pause);
  }
}
