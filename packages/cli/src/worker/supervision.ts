/** What a supervisor sends to its worker process to have it stop gracefully. */
export const stopMessage = "taskferry.stop";

/** What a supervisor sends to its worker process to learn what that has measured. */
export interface MetricsRequest {
  readonly type: "taskferry.measure";
  readonly request: number;
}

/** What a worker process tells its supervisor. */
export type WorkerNews =
  /** Whether it takes tasks now. */
  | { readonly type: "taskferry.readiness"; readonly isReady: boolean }
  /** It has done enough, or holds too much: another one should take its place. */
  | { readonly type: "taskferry.recycle"; readonly why: string }
  /** The queues it works on. */
  | { readonly type: "taskferry.queues"; readonly queues: readonly string[] }
  | { readonly type: "taskferry.measured"; readonly request: number; readonly snapshot: unknown };

/** The option with which a supervisor starts its worker process. */
export const supervisedOption = "--supervised";
/** The option with which it has that process measure what it does, and tell it. */
export const measuredOption = "--measured";

const newsTypes: readonly unknown[] = [
  "taskferry.readiness",
  "taskferry.recycle",
  "taskferry.queues",
  "taskferry.measured",
] satisfies readonly WorkerNews["type"][];

export function isWorkerNews(message: unknown): message is WorkerNews {
  return newsTypes.includes(typeOf(message));
}

export function isMetricsRequest(message: unknown): message is MetricsRequest {
  return typeOf(message) === "taskferry.measure";
}

function typeOf(message: unknown): unknown {
  return typeof message === "object" && message !== null && "type" in message ? message.type : undefined;
}
