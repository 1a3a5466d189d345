import { type ErrorCode, isTaskferryError } from "@taskferry/core";

/** What Fastify answers with where a route lets an error pass. Those that are not named are faults of the server. */
const statusCodes: Readonly<Partial<Record<ErrorCode, number>>> = {
  INPUT_INVALID: 400,
  NAME_INVALID: 400,
  OPTION_INVALID: 400,
  MESSAGE_TOO_LARGE: 413,
  TASK_NOT_UNIQUE: 409,
  BROKER_FULL: 503,
  BROKER_UNAVAILABLE: 503,
  CLOSED: 503,
  STATE_REQUIRED: 501,
  UNSUPPORTED_CAPABILITY: 501,
};

/** Gives taskferry's errors the `statusCode` that Fastify looks for. */
function withStatusCode(error: unknown): unknown {
  const statusCode = isTaskferryError(error) ? statusCodes[error.code] : undefined;
  return statusCode === undefined || Object.hasOwn(error as object, "statusCode")
    ? error
    : Object.assign(error as Error, { statusCode });
}

export async function answering<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw withStatusCode(error);
  }
}
