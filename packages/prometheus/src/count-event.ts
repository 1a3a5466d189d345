import type { ClientEvent, ConnectionEvent, TaskEvent, WorkerEvent } from "@taskferry/core";
import type { Meters } from "./meters.ts";

/** Counts what an event of a client or a worker tells. */
export function countEvent(meters: Meters, event: ClientEvent | WorkerEvent): void {
  if (event.type === "broker") countConnection(meters, event);
  else if ("task" in event) countTask(meters, event, { task: event.task, queue: event.queue });
}

function countConnection({ connected }: Meters, { broker, event }: ConnectionEvent): void {
  if (event.type === "connected") connected.set({ broker }, 1);
  if (event.type === "disconnected") connected.set({ broker }, 0);
}

type Labels = Pick<TaskEvent, "task" | "queue">;

function countTask(meters: Meters, event: Extract<WorkerEvent, TaskEvent>, labels: Labels): void {
  switch (event.type) {
    case "task.enqueued":
      return meters.enqueued.inc(labels);
    case "task.started":
      meters.inFlight.inc(labels);
      return meters.wait.observe(labels, event.wait / 1_000);
    case "task.executed":
      meters.inFlight.dec(labels);
      return meters.duration.observe(labels, event.duration / 1_000);
    case "task.lost":
      return meters.leasesLost.inc(labels);
    case "task.released":
      return meters.released.inc(labels);
    case "task.retrying":
      return meters.retries.inc(labels);
    default:
      return countEnd(meters, event, labels);
  }
}

function countEnd({ ended, deadLetters }: Meters, event: Extract<WorkerEvent, TaskEvent>, labels: Labels): void {
  const { task, queue } = labels;
  switch (event.type) {
    case "task.succeeded":
      return ended.inc({ task, queue, outcome: "succeeded" });
    case "task.cancelled":
      return ended.inc({ task, queue, outcome: event.code === "TASK_EXPIRED" ? "expired" : "cancelled" });
    case "task.failed":
      deadLetters.inc({ queue, code: event.error.code?.startsWith("TASK_") ? event.error.code : "TASK_FAILED" });
      return ended.inc({ task, queue, outcome: "failed" });
    // What stands in a message that cannot be run comes from outside, and could be anything: it names no series.
    case "task.rejected":
      return deadLetters.inc({ queue, code: event.reason.code });
    default:
  }
}
