import { BrokerError, ClosedError, type TaskferryError } from "@taskferry/core";
import type { Fault } from "./protocol.ts";

/** Why a call on the file came to nothing. Inside this package only: users get what {@link toError} makes of it. */
export class FileFault extends Error {
  override readonly name = "FileFault";
  readonly code: string;

  constructor({ code, message }: Fault) {
    super(message);
    this.code = code;
  }
}

/** Codes of our own, beside those of SQLite. */
export const closed: Fault = { code: "CLOSED", message: "it is closed" };
export const cancelled: Fault = { code: "CANCELLED", message: "the call was cancelled" };
/** Nothing was attempted. */
export const timedOut: Fault = { code: "TIMEOUT", message: "it could not be reached in time" };
/** It is not known whether the call had an effect. */
export const unanswered: Fault = { code: "UNANSWERED", message: "there was no answer in time" };
export const interrupted: Fault = { code: "INTERRUPTED", message: "it had to be opened again" };

export function isFault(error: unknown, ...codes: readonly string[]): error is FileFault {
  return error instanceof FileFault && (codes.length === 0 || codes.includes(error.code));
}

/** Whether the call may have had an effect all the same. */
export function isUncertain(error: unknown): boolean {
  return isFault(error) && (error.code === unanswered.code || error.code === interrupted.code);
}

const advice: Readonly<Record<string, string>> = {
  SQLITE_CANTOPEN: "Check that the folder exists, and that this user may write to it.",
  SQLITE_READONLY: "Check that this user may write to the file and its folder.",
  SQLITE_PERM: "Check that this user may write to the file and its folder.",
  SQLITE_AUTH: "Check that this user may write to the file and its folder.",
  SQLITE_NOTADB: "Choose a path of its own.",
  SQLITE_CORRUPT: "Check the disk; restore the file from a backup, or move it away to begin anew.",
  SQLITE_IOERR: "Check the disk.",
  SQLITE_BUSY: "Find out which process keeps the file locked.",
  TIMEOUT: "Find out which process keeps the file locked.",
};

/** What a user of the file is told. `what` names the broker, result backend or state store. */
export function toError(error: unknown, what: string, path: string): TaskferryError {
  if (!isFault(error)) throw error;
  if (error.code === closed.code || error.code === cancelled.code) return new ClosedError(what);
  if (error.code === "SQLITE_FULL") {
    return new BrokerError("BROKER_FULL", `No room is left for ${path}. Free some disk space.`, { cause: error });
  }
  const hint = Object.entries(advice).find(([code]) => error.code.startsWith(code))?.[1] ?? "";
  const reason = error.message.replace(/\.$/, "");
  return new BrokerError("BROKER_UNAVAILABLE", `Cannot use ${path}: ${reason}. ${hint}`.trim(), { cause: error });
}
