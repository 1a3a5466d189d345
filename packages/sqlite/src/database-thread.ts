import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { holdExit } from "./exit-guard.ts";
import { closed, FileFault } from "./file-fault.ts";
import { createGate, isInside, shutGate } from "./gate.ts";
import type { Answer, Fault, ThreadOptions, ThreadReport, ThreadRequest, ThreadStart } from "./protocol.ts";

/** The thread that runs all statements of this process on one file. */
export interface DatabaseThread {
  /** What may cost data or time with this file. */
  readonly warnings: readonly string[];
  /** @param transfer - buffers that are handed over. */
  post(request: ThreadRequest, transfer?: readonly ArrayBuffer[]): void;
  /** Resolves once it has ended, with the reason. */
  readonly ended: Promise<Fault>;
  /** Lets it write what it was asked to, and ends it. */
  stop(): Promise<void>;
  /** Ends it between two statements, whatever it was asked to. */
  kill(): Promise<void>;
}

/** Starts a thread, told of its answers. @throws FileFault when the file cannot be used. */
export type StartThread = (
  options: ThreadOptions,
  onAnswers: (answers: readonly Answer[]) => void,
) => Promise<DatabaseThread>;

/** Milliseconds after which a thread that does not stop is killed. */
const stopTimeout = 5_000;
/** Milliseconds between looks whether a thread can be killed. */
const killInterval = 5;

export const startThread: StartThread = async (options, onAnswers) => {
  const gate = createGate();
  const workerData: ThreadStart = { ...options, gate };
  // Options of node are for the program, such as modules to load first: the thread has no use for them.
  const worker = new Worker(findEntry(), { workerData, execArgv: [], name: "taskferry-sqlite" });
  const allowExit = holdExit(gate);
  let fault: Fault = closed;
  const ended = new Promise<Fault>((resolve) => {
    worker.once("exit", () => {
      allowExit();
      resolve(fault);
    });
  });
  worker.on("error", (error) => {
    fault = { code: "CRASHED", message: error.message };
  });
  const warnings = await new Promise<readonly string[]>((resolve, reject) => {
    worker.on("message", (report: ThreadReport) => {
      if (report.type === "answers") onAnswers(report.answers);
      else if (report.type === "ready") resolve(report.warnings);
      else fault = report.fault;
    });
    void ended.then((reason) => reject(new FileFault(reason)));
  });
  const kill = async (): Promise<void> => {
    shutGate(gate);
    while (isInside(gate)) await pause(killInterval);
    await worker.terminate();
  };
  const stop = async (): Promise<void> => {
    worker.postMessage({ type: "close" } satisfies ThreadRequest);
    const timer = setTimeout(() => void kill(), stopTimeout);
    await ended;
    clearTimeout(timer);
  };
  return { warnings, post: (request, transfer = []) => worker.postMessage(request, transfer), ended, stop, kill };
};

/** Only in its repository does this package run from source. */
function findEntry(): URL {
  const isSource = import.meta.url.endsWith(".ts");
  return new URL(isSource ? "../source-thread.mjs" : "./thread/main.js", import.meta.url);
}
