/** What a supervisor sends to its worker process to have it stop gracefully. */
export const stopMessage = "taskferry.stop";

/** What a worker process tells its supervisor. */
export type WorkerNews =
  /** Whether it takes tasks now. */
  | { readonly type: "taskferry.readiness"; readonly isReady: boolean }
  /** It has done enough, or holds too much: another one should take its place. */
  | { readonly type: "taskferry.recycle"; readonly why: string };

/** The option with which a supervisor starts its worker process. */
export const supervisedOption = "--supervised";

export function isWorkerNews(message: unknown): message is WorkerNews {
  const type = typeof message === "object" && message !== null && "type" in message ? message.type : undefined;
  return type === "taskferry.readiness" || type === "taskferry.recycle";
}
