import type { WorkerInfo } from "@taskferry/core";
import type { Paint } from "./paint.ts";
import { formatTable } from "./table.ts";
import { formatSpan } from "./time.ts";

/** Live workers as a table, seen at a wall-clock time. */
export function formatWorkers(workers: readonly WorkerInfo[], now: number, paint: Paint): string {
  return formatTable(
    workers,
    [
      { heading: "worker", cell: ({ name }) => name, width: 40 },
      { heading: "host", cell: ({ host }) => host, width: 30 },
      { heading: "pid", cell: ({ pid }) => pid },
      { heading: "up", cell: ({ startedAt }) => formatSpan(Math.max(0, now - startedAt)) },
      { heading: "queues", cell: describeQueues, width: 40 },
      { heading: "running", cell: describeSlots },
      { heading: "done/s", cell: ({ queues }) => sum(queues.map(({ perSecond }) => perSecond)) },
      { heading: "load", cell: ({ load, processors }) => `${load.toFixed(2)} of ${processors}` },
      { heading: "memory", cell: ({ memory }) => `${Math.round(memory / 1_048_576)} MB` },
      { heading: "late", cell: ({ eventLoopDelay }) => formatSpan(eventLoopDelay) },
      { heading: "longest", cell: (worker) => describeLongest(worker, now), width: 60 },
    ],
    paint,
  );
}

/** Of numbers with few digits, without the many of their sum. */
function sum(numbers: readonly number[]): number {
  return Number(numbers.reduce((total, number) => total + number, 0).toPrecision(3));
}

function describeQueues({ queues }: WorkerInfo): string {
  return queues.map(({ queue, isPaused }) => (isPaused ? `${queue} (paused)` : queue)).join(", ");
}

function describeSlots({ running, queues, state, isConnected }: WorkerInfo): string {
  const slots = queues.reduce((total, { concurrency }) => total + concurrency, 0);
  const note = state === "stopping" ? ", stopping" : isConnected ? "" : ", no broker";
  return `${running} of ${slots}${note}`;
}

function describeLongest({ tasks: [first] }: WorkerInfo, now: number): string {
  return first === undefined ? "" : `${first.task} ${first.id} for ${formatSpan(Math.max(0, now - first.startedAt))}`;
}
