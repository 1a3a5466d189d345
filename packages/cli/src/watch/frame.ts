import { countOf } from "../output/count.ts";
import type { Paint } from "../output/paint.ts";
import { formatTable } from "../output/table.ts";
import { formatTime } from "../output/time.ts";
import { formatWorkers } from "../output/workers.ts";
import type { Snapshot, WatchedQueue } from "./snapshot.ts";

/** What goes on as text: a line of sums, the queues, the workers. */
export function formatFrame(snapshot: Snapshot, paint: Paint): string {
  const { at, queues, workers } = snapshot;
  return [
    `${paint("bold", formatTime(at))}  ${describeSums(snapshot)}`,
    queues.length === 0 ? "No queue is known to hold a message." : formatQueues(queues, paint),
    workers === null
      ? "Which workers live is not known: that needs a state store."
      : workers.length === 0
        ? "No worker lives."
        : formatWorkers(workers, at, paint),
  ].join("\n\n");
}

function describeSums({ queues, workers }: Snapshot): string {
  const sum = (count: (queue: WatchedQueue) => number | undefined): number =>
    Number(queues.reduce((total, queue) => total + (count(queue) ?? 0), 0).toPrecision(12));
  return [
    ...(workers === null ? [] : [countOf(workers.length, "worker")]),
    `${sum(({ ready }) => ready)} ready`,
    `${sum(({ dead }) => dead)} dead`,
    ...(workers === null
      ? []
      : [`${sum(({ perSecond }) => perSecond)} done/s`, `${sum(({ failedPerSecond }) => failedPerSecond)} failed/s`]),
  ].join(", ");
}

function formatQueues(queues: readonly WatchedQueue[], paint: Paint): string {
  return formatTable(
    queues,
    [
      { heading: "queue", cell: ({ queue, isPaused }) => (isPaused ? `${queue} (paused)` : queue) },
      { heading: "ready", cell: ({ ready = "?" }) => ready },
      { heading: "running", cell: ({ running = "?" }) => running },
      { heading: "delayed", cell: ({ delayed = "?" }) => delayed },
      { heading: "dead", cell: ({ dead = "?" }) => dead },
      { heading: "workers", cell: ({ workers }) => workers },
      { heading: "done/s", cell: ({ perSecond }) => perSecond },
      { heading: "failed/s", cell: ({ failedPerSecond }) => failedPerSecond },
    ],
    paint,
  );
}
