/** The codes of the errors that this package throws itself. The README says what to do about each. */
export type TestingErrorCode =
  | "HISTORY_BROKEN"
  | "PROCESS_ENDED"
  | "PROCESS_NOT_STARTED"
  | "PROCESS_NOT_STOPPED"
  | "PROXY_CLOSED"
  | "SERVER_CLOSED"
  | "SERVER_MISSING"
  | "SERVER_NOT_READY"
  | "SERVER_NOT_RUNNING"
  | "SERVER_PORT_TAKEN"
  | "SERVER_RUNNING"
  | "WAIT_TIMED_OUT"
  | "WORKER_NOT_RUNNING";

/** An error with a stable `code`. */
export function testingError(
  code: TestingErrorCode,
  message: string,
  options?: ErrorOptions,
): Error & { readonly code: TestingErrorCode } {
  const error = new Error(message, options);
  error.name = "TestingError";
  return Object.assign(error, { code });
}

/** Whether `value` is an error of this package with that code. */
export function isTestingError(
  value: unknown,
  code: TestingErrorCode,
): value is Error & { readonly code: TestingErrorCode } {
  return value instanceof Error && value.name === "TestingError" && "code" in value && value.code === code;
}
