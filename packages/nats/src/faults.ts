import { BrokerError, type TaskferryError } from "@taskferry/core";

/** Refused credentials, permissions or data: nothing to wait for. */
export class RefusedError extends BrokerError {
  override readonly retryable = false;
}

/** An answer of JetStream that says no. */
export class ApiError extends RefusedError {
  /** JetStream's own number of what is wrong. */
  readonly number: number;

  constructor(number: number, message: string) {
    super("BROKER_UNAVAILABLE", message);
    this.number = number;
  }
}

/** Numbers of JetStream's errors. */
export const apiErrors = {
  consumerNotFound: 10_014,
  consumerExists: 10_105,
  insufficientResources: 10_023,
  messageNotFound: 10_037,
  messageNotDeleted: 10_057,
  memoryExceeded: 10_028,
  storageExceeded: 10_047,
  streamNameInUse: 10_058,
  streamNotFound: 10_059,
  streamStoreFailed: 10_077,
  messageTooLarge: 10_054,
  sequenceNotFound: 10_043,
  wrongLastSequence: 10_071,
} as const;

export function isApiError(error: unknown, ...numbers: readonly number[]): boolean {
  return error instanceof ApiError && numbers.includes(error.number);
}

/** Whether a message could not be deleted because it is not there any more. */
export function isGone(error: unknown): boolean {
  if (isApiError(error, apiErrors.messageNotFound, apiErrors.sequenceNotFound, apiErrors.streamNotFound)) return true;
  return isApiError(error, apiErrors.messageNotDeleted) && /not found|no message found|deleted/i.test(String(error));
}

export function isDenied(error: unknown): boolean {
  return (
    error instanceof Error &&
    (/^(?:AuthorizationError|UserAuthenticationExpiredError|PermissionViolationError)$/.test(error.name) ||
      /authorization violation|authentication (?:expired|timeout)/i.test(error.message))
  );
}

export function denied(error: Error, address: string): RefusedError {
  return new RefusedError(
    "BROKER_UNAVAILABLE",
    `NATS at ${address} refuses this user: ${error.message}. Check user name, password and permissions.`,
    { cause: new Error(error.message) },
  );
}

export function unavailable(address: string, text: string): TaskferryError {
  return new BrokerError("BROKER_UNAVAILABLE", `NATS at ${address} cannot be reached or does not answer: ${text}`);
}

const fullNumbers: readonly (number | undefined)[] = [
  apiErrors.insufficientResources,
  apiErrors.memoryExceeded,
  apiErrors.storageExceeded,
];

/** Whether JetStream did not store something for want of room. */
export function isFull({
  err_code,
  description = "",
}: {
  readonly err_code?: number;
  readonly description?: string;
}): boolean {
  return fullNumbers.includes(err_code) || /maximum (?:bytes|messages)|no space|insufficient/i.test(description);
}

export function full(text: string): BrokerError {
  return new BrokerError(
    "BROKER_FULL",
    `JetStream has no room: ${text}. Raise the stream's max_bytes or the server's limit, or let workers catch up.`,
  );
}
