import type { Isolation } from "../../task-options.ts";
import type { Executor } from "../executor.ts";

/** Runs each job as its task says. */
export function byIsolation(executors: Readonly<Record<Isolation, Executor>>): Executor {
  const all = [...new Set(Object.values(executors))];
  return {
    execute: (job, onEnd) => executors[job.handler.task.options.isolation].execute(job, onEnd),
    recall: (queue) => {
      for (const executor of all) executor.recall(queue);
    },
    stop: () => {
      for (const executor of all) executor.stop();
    },
  };
}
