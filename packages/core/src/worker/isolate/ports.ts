import { type MessagePort, Worker } from "node:worker_threads";
import { type PackedBatch, packReports, unpackRequests } from "../isolation/packed-batch.ts";
import type { Report, Request } from "../isolation/protocol.ts";

/** The way from a thread or process to its worker. */
export interface Port {
  readonly kind: "thread" | "process";
  listen(onRequests: (requests: readonly Request[]) => void): void;
  /** Sends with all others of the same turn of the event loop. */
  send(report: Report): void;
  /** Ends this thread or process once all was sent. */
  exit(code: number): void;
}

export function connectThread(port: MessagePort): Port {
  const outbox = createOutbox((reports) => port.postMessage(packReports(reports)));
  return {
    kind: "thread",
    listen: (onRequests) => void port.on("message", (batch: PackedBatch) => onRequests(unpackRequests(batch))),
    send: outbox.send,
    exit: (code) => {
      outbox.flush();
      process.exit(code);
    },
  };
}

export function connectProcess(): Port {
  leaveSignals();
  killWhenOrphaned();
  const post = (reports: readonly Report[], onSent?: () => void): void => {
    process.send?.(packReports(reports), undefined, undefined, onSent);
  };
  const outbox = createOutbox((reports) => post(reports));
  process.on("disconnect", () => process.exit(0));
  return {
    kind: "process",
    listen: (onRequests) => void process.on("message", (batch) => onRequests(unpackRequests(batch as PackedBatch))),
    send: outbox.send,
    exit: (code) => {
      outbox.flush();
      post([], () => process.exit(code));
    },
  };
}

/** Ctrl-C and process managers may signal a whole group: what a signal means is for the worker to say. */
function leaveSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
}

const watchdog = `
const { workerData: parent } = require("node:worker_threads");
setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 500);
`;

/** The end of the worker is an event, which a blocked event loop never sees: a thread of its own looks after it. */
function killWhenOrphaned(): void {
  const thread = new Worker(watchdog, {
    eval: true,
    execArgv: [],
    workerData: process.ppid,
    name: "taskferry-watchdog",
  });
  thread.unref();
}

interface Outbox {
  readonly send: (report: Report) => void;
  readonly flush: () => void;
}

function createOutbox(post: (reports: readonly Report[]) => void): Outbox {
  let reports: Report[] = [];
  let isScheduled = false;
  const flush = (): void => {
    isScheduled = false;
    if (reports.length === 0) return;
    const batch = reports;
    reports = [];
    post(batch);
  };
  return {
    send: (report) => {
      reports.push(report);
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    },
    flush,
  };
}
