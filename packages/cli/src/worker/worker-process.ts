import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Logger } from "@taskferry/core";
import { isWorkerNews, stopMessage, supervisedOption } from "./supervision.ts";

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
  #isToStop = false;

  constructor({ args, logger, onRecycle }: WorkerProcessParts) {
    const child = spawn(process.execPath, [...process.execArgv, program, ...args, supervisedOption], {
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
        if (news.type === "taskferry.recycle") return onRecycle(news.why);
        this.isReady = news.isReady;
        if (news.isReady) resolve(true);
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
}
