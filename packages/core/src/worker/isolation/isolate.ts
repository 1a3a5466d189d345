import type { Batch, Report, Request } from "./protocol.ts";

/** A thread or a process that runs handlers, as the worker sees it. */
export interface Isolate {
  /** Names it in errors and logs, such as `"thread"` or `"process 4711"`. */
  readonly name: string;
  /** Sends a batch; one that it can no longer get is dropped, since its end is told. */
  post(requests: Batch<Request>): void;
  /** Ends it whatever it does. Resolves once it has ended. */
  kill(): Promise<void>;
}

export interface IsolateListeners {
  readonly onReports: (reports: Batch<Report>) => void;
  /** Called once, when it has ended, with why in words; `error` where one ended it. */
  readonly onExit: (why: string, error?: unknown) => void;
}

/** Starts an isolate, which waits for its `start` message. */
export type SpawnIsolate = (listeners: IsolateListeners) => Isolate;
