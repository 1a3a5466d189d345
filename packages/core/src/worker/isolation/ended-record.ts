import { classesOf, keepClasses, recordError, reviveError } from "../../error-record.ts";
import { type ErrorCode, isTaskferryError, TaskferryError } from "../../errors.ts";
import type { ErrorRecord } from "../../outcome.ts";
import type { Ended } from "../job.ts";
import type { EndedRecord } from "./protocol.ts";

/** How a handler ended, for the way between threads and processes; whatever only the worker decides reads as a failure. */
export function toEndedRecord(ended: Ended): EndedRecord {
  switch (ended.kind) {
    case "returned":
      return { kind: "returned", contentType: ended.result.contentType, body: ended.result.body };
    case "threw":
      return {
        kind: "threw",
        error: recordError(ended.error),
        classes: classesOf(ended.error),
        isOurs: isTaskferryError(ended.error),
        isFinal: ended.isFinal,
      };
    case "refused":
      return { kind: "refused", error: recordError(ended.error) };
    case "stopping":
    case "later":
    case "cancelled":
      return ended;
    case "timedOut":
      return { kind: "threw", error: recordError(ended.error), classes: [], isOurs: true, isFinal: false };
    case "limited":
    case "repeated":
    case "leaseLost":
      return {
        kind: "threw",
        error: recordError(new Error(`The handler ended without an answer: ${ended.kind}.`)),
        classes: [],
        isOurs: false,
        isFinal: false,
      };
  }
}

export function fromEndedRecord(record: EndedRecord): Ended {
  switch (record.kind) {
    case "returned":
      return { kind: "returned", result: { contentType: record.contentType, body: record.body } };
    case "threw":
      return {
        kind: "threw",
        error: keepClasses(reviveOurs(record.error, record.isOurs), record.classes),
        isFinal: record.isFinal,
      };
    case "refused":
      return { kind: "refused", error: new RevivedError(record.error) };
    case "stopping":
    case "later":
    case "cancelled":
      return record;
  }
}

/** An error from another thread or process; `isOurs`: it was one of taskferry's. */
export function reviveOurs(record: ErrorRecord, isOurs: boolean): Error {
  return isOurs ? new RevivedError(record) : revive(record);
}

/** An error of taskferry's that was thrown in another thread or process. */
class RevivedError extends TaskferryError {
  override readonly name: string;

  constructor({ name, message, code, stack, cause }: ErrorRecord) {
    super(code as ErrorCode, message, cause === undefined ? undefined : { cause: revive(cause) });
    this.name = name;
    setStack(this, stack);
  }
}

function revive(record: ErrorRecord): Error {
  return setStack(reviveError(record), record.stack);
}

/** That of its revival would mislead. */
function setStack(error: Error, stack: string | undefined): Error {
  return Object.defineProperty(error, "stack", { value: stack, configurable: true, writable: true });
}
