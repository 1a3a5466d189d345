import type { Logger, WorkerEvent } from "@taskferry/core";

/** Logs the tasks that went well, which a worker itself keeps quiet about. */
export function logTasks(logger: Logger, level: "info" | "debug"): (event: WorkerEvent) => void {
  const durations = new Map<string, number>();
  return (event) => {
    if (!("task" in event)) return;
    const { id, task, queue, attempt } = event;
    if (event.type === "task.executed") {
      durations.set(id, event.duration);
      return;
    }
    const duration = durations.get(id);
    durations.delete(id);
    if (event.type === "task.succeeded") {
      logger[level](
        { id, task, queue, attempt, ...(duration !== undefined && { milliseconds: Math.round(duration) }) },
        "the task succeeded",
      );
    }
  };
}

/** Logs when the connection to the broker goes and comes back. */
export function logConnection(logger: Logger): (event: WorkerEvent) => void {
  let isLost = false;
  return (event) => {
    if (event.type !== "broker") return;
    if (event.event.type === "disconnected" && !isLost) {
      isLost = true;
      logger.warn(
        { broker: event.broker, error: event.event.error },
        "the connection to the broker is lost: trying to reconnect",
      );
    } else if (event.event.type === "connected" && isLost) {
      isLost = false;
      logger.info({ broker: event.broker }, "the connection to the broker is back");
    }
  };
}
