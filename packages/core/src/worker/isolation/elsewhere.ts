import { createHandler, type HandledTask, type Handler } from "../../handler.ts";

function runElsewhere(): never {
  throw new Error("This handler runs in a thread or process of its own, and was called in the worker.");
}

/** A handler that runs in another thread or process, where it is found by its task's name. */
export function elsewhere(task: HandledTask): Handler {
  return createHandler(task, runElsewhere);
}

export function isElsewhere(handler: Handler): boolean {
  return handler.run === runElsewhere;
}
