import type { MemoryBroker } from "../memory/broker.ts";
import type { Worker } from "../worker.ts";
import type { LateBroker } from "./late-broker.ts";

export interface IdleParts {
  readonly worker: Worker;
  readonly broker: MemoryBroker;
  readonly late: LateBroker;
  /** Milliseconds at most. */
  readonly limit: number;
}

/** Resolves once nothing runs or waits to be run, or the limit is over. */
export async function untilIdle({ worker, broker, late, limit }: IdleParts): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), limit);
  while (!over.signal.aborted) {
    const change = nextChange(worker, late, over.signal);
    const { ready = 0, running = 0 } = await broker.admin.depth("default");
    if (late.held + ready + running === 0) over.abort();
    await change;
  }
  clearTimeout(timer);
}

function nextChange(worker: Worker, late: LateBroker, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const onChange = (): void => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      over.removeEventListener("abort", onChange);
      resolve();
    };
    const unsubscribes = [worker.on(onChange), late.onChange(onChange)];
    over.addEventListener("abort", onChange);
  });
}
