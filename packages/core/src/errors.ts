/**
 * Every error that taskferry throws. Each has a literal `name`, a stable `code`, says whether trying again can help
 * (`retryable`), and keeps its `cause`. Recognise them with {@link isTaskferryError}, never with `instanceof`: two
 * copies of this package may be loaded in one process.
 *
 * The codes are part of the public interface. `docs/errors.md` lists each of them.
 */
const brand = Symbol.for("taskferry.error");

export type ErrorCode =
  | "BODY_MISSING"
  | "BROKER_FULL"
  | "BROKER_NOT_SET"
  | "BROKER_UNAVAILABLE"
  | "CLOSED"
  | "CONFIGURATION_INVALID"
  | "CONTENT_TYPE_UNKNOWN"
  | "CONTRACT_MISMATCH"
  | "DECRYPTION_FAILED"
  | "DURATION_INVALID"
  | "ENCRYPTION_MISSING"
  | "HANDLER_DUPLICATE"
  | "HEADERS_TOO_LARGE"
  | "INPUT_INVALID"
  | "ISOLATION_NEEDS_MODULE"
  | "KEY_UNKNOWN"
  | "LEASE_LOST"
  | "MESSAGE_MALFORMED"
  | "MESSAGE_MOVED"
  | "MESSAGE_REPLAYED"
  | "MESSAGE_TOO_LARGE"
  | "MESSAGE_VERSION_UNKNOWN"
  | "MIDDLEWARE_FAILED"
  | "MIDDLEWARE_MISUSED"
  | "NAME_INVALID"
  | "NO_RECEIVERS"
  | "NOT_DESERIALIZABLE"
  | "NOT_SERIALIZABLE"
  | "OPTION_INVALID"
  | "OUTPUT_INVALID"
  | "PACKAGE_MISSING"
  | "PLAN_EXPIRED"
  | "PROVIDER_CYCLE"
  | "PROVIDER_FAILED"
  | "RESULT_EXPIRED"
  | "RESULT_TIMEOUT"
  | "RESULT_UNKNOWN"
  | "RETRY_LATER"
  | "RESULTS_UNAVAILABLE"
  | "SCHEDULE_EXISTS"
  | "SCHEDULE_UNKNOWN"
  | "SIGNATURE_EXPIRED"
  | "SIGNATURE_INVALID"
  | "SIGNATURE_MISSING"
  | "STATE_REQUIRED"
  | "STATE_VALUE_TOO_LARGE"
  | "TASK_CANCELLED"
  | "TASK_CRASHED"
  | "TASK_EXPIRED"
  | "TASK_FAILED"
  | "TASK_NOT_UNIQUE"
  | "TASK_TIMED_OUT"
  | "TASK_UNKNOWN"
  | "TOO_MANY_DELIVERIES"
  | "UNSUPPORTED_CAPABILITY"
  | "URL_INVALID"
  | "WORKER_STOPPING";

/** The base of all errors here. */
export abstract class TaskferryError extends Error {
  abstract override readonly name: string;
  readonly code: ErrorCode;
  /** Whether the same call can succeed later without a change by the caller. */
  readonly retryable: boolean = false;
  readonly [brand] = true;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether `value` is an error of taskferry, and, where `code` is given, one with that code. */
export function isTaskferryError(value: unknown, code?: ErrorCode): value is TaskferryError {
  if (typeof value !== "object" || value === null || !(brand in value)) return false;
  return code === undefined || (value as TaskferryError).code === code;
}

/** The configuration cannot be used. `CONFIGURATION_INVALID` lists every fault at once in `problems`. */
export class ConfigurationError extends TaskferryError {
  override readonly name = "ConfigurationError";
  readonly problems: readonly string[];

  constructor(
    code:
      | "BROKER_NOT_SET"
      | "CONFIGURATION_INVALID"
      | "CONTRACT_MISMATCH"
      | "HANDLER_DUPLICATE"
      | "ISOLATION_NEEDS_MODULE"
      | "PACKAGE_MISSING"
      | "PROVIDER_CYCLE"
      | "RESULTS_UNAVAILABLE"
      | "STATE_REQUIRED"
      | "URL_INVALID",
    problems: string | readonly string[],
    options?: ErrorOptions,
  ) {
    const list = typeof problems === "string" ? [problems] : problems;
    super(code, list.join("\n"), options);
    this.problems = list;
  }
}

/** An option or a name given by the caller is out of range. */
export class OptionError extends TaskferryError {
  override readonly name = "OptionError";

  constructor(
    code:
      | "DURATION_INVALID"
      | "NAME_INVALID"
      | "OPTION_INVALID"
      | "SCHEDULE_EXISTS"
      | "SCHEDULE_UNKNOWN"
      | "STATE_VALUE_TOO_LARGE",
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
  }
}

/** The broker or result backend cannot keep an option that was asked for. Nothing was enqueued or started. */
export class UnsupportedCapabilityError extends TaskferryError {
  override readonly name = "UnsupportedCapabilityError";
  readonly capability: string;

  constructor(capability: string, message: string) {
    super("UNSUPPORTED_CAPABILITY", message);
    this.capability = capability;
  }
}

/** One fault that a schema found, with the path to it. */
export interface ValidationIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** A schema refused a value: `INPUT_INVALID` for a task's input, `OUTPUT_INVALID` for what its handler returned. */
export class ValidationError extends TaskferryError {
  override readonly name = "ValidationError";
  readonly issues: readonly ValidationIssue[];

  constructor(code: "INPUT_INVALID" | "OUTPUT_INVALID", message: string, issues: readonly ValidationIssue[]) {
    super(code, message);
    this.issues = issues;
  }
}

/** A message that cannot be sent, read or run. In a worker it goes to the dead letters with this code as its reason. */
export class MessageError extends TaskferryError {
  override readonly name = "MessageError";
  /** The id of the task, where it could be read. */
  readonly id: string | undefined;

  constructor(
    code:
      | "BODY_MISSING"
      | "CONTENT_TYPE_UNKNOWN"
      | "DECRYPTION_FAILED"
      | "ENCRYPTION_MISSING"
      | "HEADERS_TOO_LARGE"
      | "KEY_UNKNOWN"
      | "MESSAGE_MALFORMED"
      | "MESSAGE_MOVED"
      | "MESSAGE_REPLAYED"
      | "MESSAGE_TOO_LARGE"
      | "MESSAGE_VERSION_UNKNOWN"
      | "PLAN_EXPIRED"
      | "SIGNATURE_EXPIRED"
      | "SIGNATURE_INVALID"
      | "SIGNATURE_MISSING"
      | "TASK_UNKNOWN"
      | "TOO_MANY_DELIVERIES",
    message: string,
    options?: ErrorOptions & { readonly id?: string | undefined },
  ) {
    super(code, message, options);
    this.id = options?.id;
  }
}

/** A value that the serializer cannot carry; `path` leads to it (`$` is the value itself). */
export class SerializationError extends TaskferryError {
  override readonly name = "SerializationError";
  readonly path: string;

  constructor(
    code: "NOT_DESERIALIZABLE" | "NOT_SERIALIZABLE",
    message: string,
    { path, ...options }: ErrorOptions & { readonly path: string },
  ) {
    super(code, message, options);
    this.path = path;
  }
}

/** The broker could not be reached in time (`BROKER_UNAVAILABLE`), has no room (`BROKER_FULL`), or nobody listens (`NO_RECEIVERS`). */
export class BrokerError extends TaskferryError {
  override readonly name = "BrokerError";
  override readonly retryable: boolean = true;

  constructor(code: "BROKER_FULL" | "BROKER_UNAVAILABLE" | "NO_RECEIVERS", message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** A call on a client, worker, broker or backend after its `close()`. */
export class ClosedError extends TaskferryError {
  override readonly name = "ClosedError";

  constructor(what: string) {
    super("CLOSED", `${what} is closed. Create a new one to go on.`);
  }
}

/**
 * A middleware called `next` twice, or not at all without saying so through `shortCircuit` (`MIDDLEWARE_MISUSED`), or
 * threw where the handler had not (`MIDDLEWARE_FAILED`).
 */
export class MiddlewareError extends TaskferryError {
  override readonly name = "MiddlewareError";

  constructor(
    message: string,
    {
      code = "MIDDLEWARE_MISUSED",
      ...options
    }: ErrorOptions & { readonly code?: "MIDDLEWARE_FAILED" | "MIDDLEWARE_MISUSED" } = {},
  ) {
    super(code, message, options);
  }
}

/** What a handler needs could not be made when the worker started, or its factory is no good. `provider` names it. */
export class ProviderError extends TaskferryError {
  override readonly name = "ProviderError";
  readonly provider: string;

  constructor(provider: string, problem: string, options?: ErrorOptions) {
    super("PROVIDER_FAILED", `The provider "${provider}" failed: ${problem}.`, options);
    this.provider = provider;
  }
}

/** The task failed for good. `cause` is the handler's error as it was recorded. */
export class TaskFailedError extends TaskferryError {
  override readonly name = "TaskFailedError";
  readonly id: string;
  readonly task: string;
  readonly attempt: number;

  constructor(
    failure: { readonly id: string; readonly task: string; readonly attempt: number },
    message: string,
    cause: unknown,
  ) {
    super("TASK_FAILED", message, { cause });
    this.id = failure.id;
    this.task = failure.task;
    this.attempt = failure.attempt;
  }
}

/** The task was cancelled (`TASK_CANCELLED`), or expired before it started (`TASK_EXPIRED`). */
export class TaskCancelledError extends TaskferryError {
  override readonly name = "TaskCancelledError";
  readonly id: string;
  readonly reason: string;

  constructor(code: "TASK_CANCELLED" | "TASK_EXPIRED", id: string, reason: string) {
    super(code, `Task ${id} was cancelled: ${reason}`);
    this.id = id;
    this.reason = reason;
  }
}

/** A task with the same `unique` key is there already; `id` is its. Nothing was enqueued. */
export class TaskNotUniqueError extends TaskferryError {
  override readonly name = "TaskNotUniqueError";
  readonly id: string;
  readonly task: string;

  constructor(task: string, id: string) {
    super("TASK_NOT_UNIQUE", `Task ${task} was not enqueued: ${id} has the same \`unique\` key.`);
    this.id = id;
    this.task = task;
  }
}

/** No outcome arrived within the time that the caller gave. The task goes on. */
export class ResultTimeoutError extends TaskferryError {
  override readonly name = "ResultTimeoutError";
  override readonly retryable: boolean = true;
  readonly id: string;

  constructor(id: string, timeout: number) {
    super(
      "RESULT_TIMEOUT",
      `Task ${id} had no outcome after ${timeout} ms. It may still be waiting or running: ask again, or wait longer.`,
    );
    this.id = id;
  }
}

/** There is no outcome to give: it was kept no longer (`RESULT_EXPIRED`), or none was ever known (`RESULT_UNKNOWN`). */
export class ResultMissingError extends TaskferryError {
  override readonly name = "ResultMissingError";
  readonly id: string;

  constructor(code: "RESULT_EXPIRED" | "RESULT_UNKNOWN", id: string, message: string) {
    super(code, message);
    this.id = id;
  }
}

/**
 * The reason with which a handler's `signal` aborts, found in `signal.reason`: `TASK_TIMED_OUT`, `LEASE_LOST`,
 * `WORKER_STOPPING` or `TASK_CANCELLED`.
 */
export class AbortedError extends TaskferryError {
  override readonly name = "AbortedError";

  constructor(code: "LEASE_LOST" | "TASK_CANCELLED" | "TASK_TIMED_OUT" | "WORKER_STOPPING", message: string) {
    super(code, message);
  }
}

/** The thread or process that ran a task ended under it: it crashed, ran out of memory, was killed, or left by itself. */
export class CrashError extends TaskferryError {
  override readonly name = "CrashError";

  constructor(message: string, options?: ErrorOptions) {
    super("TASK_CRASHED", message, options);
  }
}

/** Thrown by a handler: the task is cancelled, for good. Its outcome is `cancelled` with `reason`. */
export class CancelTask extends TaskferryError {
  override readonly name = "CancelTask";

  constructor(reason: string) {
    super("TASK_CANCELLED", reason);
  }
}

/** Thrown by a handler: the task failed for good, whatever attempts are left. */
export class FailTask extends TaskferryError {
  override readonly name = "FailTask";

  constructor(reason: string, options?: ErrorOptions) {
    super("TASK_FAILED", reason, options);
  }
}

/** Thrown by a handler: run it again after `delay` (milliseconds or a string such as `"30s"`). It counts no attempt. */
export class RetryLater extends TaskferryError {
  override readonly name = "RetryLater";
  readonly delay: number | string;

  constructor(delay: number | string) {
    super("RETRY_LATER", `To be run again after ${delay}.`);
    this.delay = delay;
  }
}
