import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Logger, workerHeapOptions } from "@taskferry/core";
import { isWorkerNews, type MetricsRequest, stopMessage, supervisedOption, type WorkerNews } from "./supervision.ts";

/** How a worker process ended. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerProcessParts {
  /** What follows `taskferry` on its command line. */
  readonly args: readonly string[];
  readonly logger: Logger;
  readonly onRecycle: (why: string) => void;
  readonly onQueues: (queues: readonly string[]) => void;
}

const program = fileURLToPath(new URL("../../bin/taskferry.js", import.meta.url));

/** One worker in a process of its own, under supervision. */
export class WorkerProcess {
  /** Whether it takes tasks now. */
  isReady = false;
  /** Resolves to whether it ever took tasks: at once when it does, else when it has ended. */
  readonly started: Promise<boolean>;
  readonly ended: Promise<WorkerExit>;
  readonly #child: ChildProcess;
  /** Those who wait for what it has measured, by the number of their request. */
  readonly #measurements = new Map<number, (snapshot: unknown) => void>();
  #lastRequest = 0;
  #isToStop = false;

  constructor({ args, logger, onRecycle, onQueues }: WorkerProcessParts) {
    const options = [...process.execArgv, ...workerHeapOptions()];
    const child = spawn(process.execPath, [...options, program, ...args, supervisedOption], {
      stdio: ["inherit", "inherit", "inherit", "ipc"],
    });
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => {
        logger.error({ error }, "the worker process could not be started");
        if (child.pid === undefined) resolve({ code: 1, signal: null });
      });
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    const ready = new Promise<boolean>((resolve) => {
      child.on("message", (news) => {
        if (!isWorkerNews(news)) return;
        if (news.type === "taskferry.readiness" && news.isReady) resolve(true);
        this.#read(news, { onRecycle, onQueues });
      });
    });
    this.started = Promise.race([ready, this.ended.then(() => false)]);
    void this.ended.then(() => {
      this.isReady = false;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it was asked to stop, so that its end is no crash. */
  get isToStop(): boolean {
    return this.#isToStop;
  }

  /** Asks it to stop in stages. */
  askToStop(): void {
    this.#isToStop = true;
    // It may have ended a moment ago: its exit tells what comes next.
    if (this.#child.connected) this.#child.send(stopMessage, () => undefined);
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isToStop = true;
    this.#child.kill(signal);
  }

  /** What it has measured; `undefined` when it does not say so within `limit` milliseconds. */
  async measure(limit: number): Promise<unknown> {
    if (!this.#child.connected) return undefined;
    this.#lastRequest += 1;
    const request: MetricsRequest = { type: "taskferry.measure", request: this.#lastRequest };
    try {
      return await new Promise<unknown>((resolve) => {
        this.#measurements.set(request.request, resolve);
        setTimeout(() => resolve(undefined), limit).unref();
        this.#child.send(request, (error) => {
          if (error !== null) resolve(undefined);
        });
      });
    } finally {
      this.#measurements.delete(request.request);
    }
  }

  #read(news: WorkerNews, { onRecycle, onQueues }: Pick<WorkerProcessParts, "onRecycle" | "onQueues">): void {
    switch (news.type) {
      case "taskferry.readiness":
        this.isReady = news.isReady;
        return;
      case "taskferry.recycle":
        return onRecycle(news.why);
      case "taskferry.queues":
        return onQueues(news.queues);
      case "taskferry.measured":
        return this.#measurements.get(news.request)?.(news.snapshot);
    }
  }
}
