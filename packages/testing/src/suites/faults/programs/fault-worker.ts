import { setTimeout as wait } from "node:timers/promises";
import {
  createWorker,
  FailTask,
  type Handler,
  type HandlerContext,
  type Logger,
  type Worker,
  type WorkerEvent,
} from "@taskferry/core";
import type { HistoryWriter } from "../../../total-queue/history-writer.ts";
import type { Configure } from "../fault-place.ts";
import type { WorkerSettings } from "./settings.ts";
import { addUp, broken, crash, deaf, type Execution, increase, limited, sum, tick, unsteady, work } from "./tasks.ts";

export interface FaultWorkerParts {
  readonly configure: Configure;
  readonly history: HistoryWriter;
  readonly onExecuted: (id: string) => void;
  readonly onEvent: (event: WorkerEvent) => void;
  readonly logger?: Logger;
}

/** A worker that writes a history: in a program of its own, or in the test where one process holds it all. */
export function createFaultWorker(settings: WorkerSettings, parts: FaultWorkerParts): Worker {
  const { history, onEvent, configure, logger } = parts;
  const { lease, maxDeliveries, maxBodyBytes, queue, concurrency, startTimeout } = settings;
  const worker = createWorker({
    ...configure(settings.place),
    ...(logger !== undefined && { logger }),
    handlers: createHandlers(parts),
    queues: { [queue]: { concurrency } },
    lease,
    maxDeliveries,
    maxBodyBytes,
    startTimeout,
  });
  worker.on((event) => {
    if (event.type === "task.succeeded" || event.type === "task.failed") history.record("stored", event.id);
    if (event.type === "task.cancelled") history.record("cancelled", event.id);
    if (event.type === "task.rejected" && event.id !== "") history.record("dead", event.id);
    onEvent(event);
  });
  return worker;
}

function createHandlers({ history, onExecuted }: FaultWorkerParts): readonly Handler[] {
  const recordAbort = ({ id, signal }: HandlerContext): void => {
    const record = (): void => history.record("aborted", id);
    if (signal.aborted) record();
    else signal.addEventListener("abort", record, { once: true });
  };
  const run = async (milliseconds: number, context: HandlerContext): Promise<Execution> => {
    const { id, attempt, deliveryCount, signal } = context;
    recordAbort(context);
    await wait(milliseconds, undefined, { signal });
    history.record("executed", id);
    onExecuted(id);
    return { pid: process.pid, attempt, deliveryCount };
  };
  return [
    work.handler((milliseconds, context) => {
      history.record("started", context.id);
      return run(milliseconds, context);
    }),
    deaf.handler(async (milliseconds, context) => {
      history.record("started", context.id);
      recordAbort(context);
      await wait(milliseconds, undefined, { ref: false });
      return { pid: process.pid, attempt: context.attempt, deliveryCount: context.deliveryCount };
    }),
    unsteady.handler((milliseconds, context) => {
      history.record("started", context.id);
      if (context.attempt < 2) throw new Error("not yet");
      return run(milliseconds, context);
    }),
    increase.handler((n, { id, attempt }) => {
      onExecuted(id);
      if (attempt === 0 && id.length % 3 === 0) throw new Error("not yet");
      return n + 1;
    }),
    broken.handler(() => {
      throw new FailTask("broken on purpose");
    }),
    sum.handler((numbers) => numbers.reduce((total, n) => total + n, 0)),
    limited.handler(async ({ milliseconds }, { id, signal }) => {
      history.record("started", id);
      await wait(milliseconds, undefined, { signal });
      history.record("executed", id);
      onExecuted(id);
    }),
    addUp.handler(async (numbers) => {
      let total = 0;
      for await (const n of numbers) total += n;
      return total;
    }),
    tick.handler((_, { id }) => {
      history.record("started", id);
      history.record("executed", id);
      onExecuted(id);
    }),
    crash.handler((_, { id }) => {
      history.record("started", id);
      process.kill(process.pid, "SIGKILL");
    }),
  ];
}
