import type { Worker } from "@taskferry/core";
import { isMetricsRequest, type WorkerNews } from "./supervision.ts";

export interface RecycleLimits {
  /** Tasks after which the process is replaced. */
  readonly maxTasks: number | undefined;
  /** Bytes that the process and its child processes may hold. */
  readonly maxMemory: number | undefined;
}

/** Milliseconds between looks at the memory. */
const lookInterval = 1_000;

function tell(news: WorkerNews): void {
  if (process.connected) process.send?.(news, undefined, undefined, () => undefined);
}

/** Tells the supervisor of this process which queues it works on. */
export function tellQueues(queues: readonly string[]): void {
  tell({ type: "taskferry.queues", queues });
}

/** Tells the supervisor of this process what was measured, whenever it asks. Returns the way to end that. */
export function tellMeasurements(snapshot: () => Promise<unknown>): () => void {
  const onMessage = (message: unknown): void => {
    if (!isMetricsRequest(message)) return;
    const { request } = message;
    void snapshot().then((measured) => tell({ type: "taskferry.measured", request, snapshot: measured }));
  };
  process.on("message", onMessage);
  return () => void process.off("message", onMessage);
}

/** Tells the supervisor of this process whether it takes tasks, and when it should be replaced. Returns the way to end that. */
export function tellSupervisor(worker: Worker, { maxTasks, maxMemory }: RecycleLimits): () => void {
  let executed = 0;
  let isTired = false;
  const recycle = (why: string): void => {
    if (isTired) return;
    isTired = true;
    tell({ type: "taskferry.recycle", why });
  };
  worker.on(({ type }) => {
    if (type === "task.executed") {
      executed += 1;
      if (executed === maxTasks) recycle(`it has run ${executed} tasks`);
    } else if (type === "worker.started" || type === "worker.stopping" || type === "broker") {
      const { state, isConnected } = worker.status();
      tell({ type: "taskferry.readiness", isReady: state === "running" && isConnected });
    }
  });
  const look = (): void => {
    const { memory } = worker.status();
    if (maxMemory !== undefined && memory > maxMemory) recycle(`it holds ${Math.round(memory / 1_048_576)} MB`);
  };
  const timer = maxMemory === undefined ? undefined : setInterval(look, lookInterval);
  return () => clearInterval(timer);
}
