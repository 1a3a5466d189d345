import type { MemoryBroker, Worker } from "@taskferry/core";
import { testingError } from "../testing-error.ts";

/**
 * Resolves once nothing waits to be run in the worker's queues and nothing runs. What is delayed, a retry after its
 * backoff too, is not waited for: move a clock, or set `backoff: { from: 0, to: 0 }`.
 */
export async function drain(worker: Worker, broker: MemoryBroker): Promise<void> {
  for (;;) {
    const { state, queues } = worker.status();
    if (state !== "running")
      throw testingError(
        "WORKER_NOT_RUNNING",
        `Expected a running worker to drain its queues, got one that is ${state}.`,
      );
    const change = nextChange(worker);
    const depths = await Promise.all(queues.map((queue) => broker.admin.depth(queue)));
    if (depths.every(({ ready = 0, running = 0 }) => ready + running === 0)) return change.forget();
    await change.seen;
  }
}

function nextChange(worker: Worker): { readonly seen: Promise<void>; readonly forget: () => void } {
  let forget: () => void = () => undefined;
  const seen = new Promise<void>((resolve) => {
    const unsubscribe = worker.on(() => forget());
    forget = () => {
      unsubscribe();
      resolve();
    };
  });
  return { seen, forget: () => forget() };
}
