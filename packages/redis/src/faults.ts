import { BrokerError, isTaskferryError, type TaskferryError } from "@taskferry/core";

/** What a failed command means for whoever sent it. */
export type Fault =
  /** The server refuses these credentials, or this user may not run the command: no repetition helps. */
  | "denied"
  /** The server has no room. */
  | "full"
  /** The connection broke, or the server is loading, failing over or moving slots: the same call may succeed later. */
  | "passing"
  /** Anything else: a fault of ours, or of the data. No repetition helps. */
  | "other";

const denied = /^(?:WRONGPASS|NOAUTH|NOPERM)\b|invalid username-password|AUTH <password> called without any password/;
const full = /^OOM\b/;
const passingReply =
  /^(?:LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|UNBLOCKED|BUSY|NOREPLICAS|MISCONF|UNKILLABLE|NOSCRIPT|NOTBUSY)\b|^ERR max number of clients/;
/** Redis 6 wraps what a command of a script was answered in an error of its own. */
const wrapped = /^ERR Error running script .*?: -(?=[A-Z]+ )/s;

export function classify(error: unknown): Fault {
  if (isTaskferryError(error) || !(error instanceof Error)) return "other";
  const text = replyOf(error);
  if (denied.test(text)) return "denied";
  if (full.test(text)) return "full";
  if (error.name !== "ReplyError") return "passing";
  return passingReply.test(text) ? "passing" : "other";
}

/** Whether the server takes no writes, because it has become a replica. */
export function isReadOnly(error: Error): boolean {
  return replyOf(error).startsWith("READONLY");
}

/** Whether a command that failed certainly had no effect: the server refused it, or it was never sent. */
export function wasNotDone(error: unknown): boolean {
  return error instanceof Error && (error.name === "ReplyError" || error.message.startsWith("Stream isn't writeable"));
}

/** The server may have done what it was asked, and did not say so. */
export class UnansweredError extends BrokerError {}

/** Refused credentials, permissions or data: nothing to wait for. */
class RefusedError extends BrokerError {
  override readonly retryable = false;
}

/** An error of the driver as one of ours. The driver's own may carry the connection's options, so it is reduced to its text. */
export function toBrokerError(error: unknown, address: string, isUnanswered = false): TaskferryError {
  if (isTaskferryError(error)) return error;
  const text = error instanceof Error ? error.message : String(error);
  const cause = new Error(text);
  switch (classify(error)) {
    case "full":
      return new BrokerError(
        "BROKER_FULL",
        `Redis at ${address} has no room (maxmemory): ${text}. Raise maxmemory, or let workers catch up.`,
        { cause },
      );
    case "denied":
      return new RefusedError(
        "BROKER_UNAVAILABLE",
        `Redis at ${address} refuses this user: ${text}. Check user name, password and ACL.`,
        { cause },
      );
    case "other":
      return new RefusedError(
        "BROKER_UNAVAILABLE",
        `Redis at ${address} answers with an error that trying again does not mend: ${text}. Does another program use the same keys?`,
        { cause },
      );
    case "passing": {
      const Unavailable = isUnanswered ? UnansweredError : BrokerError;
      return new Unavailable(
        "BROKER_UNAVAILABLE",
        `Redis at ${address} cannot be reached or does not answer: ${text}`,
        {
          cause,
        },
      );
    }
  }
}

function replyOf({ message }: Error): string {
  return message.replace(wrapped, "");
}
