/** What taskferry logs through: the shape of pino, so that a pino logger goes in as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger whose lines carry `fields` too. */
  child(fields: object): Logger;
}

/** Logs nothing. The default of clients. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

type Level = "debug" | "info" | "warn" | "error";
const levels: readonly Level[] = ["debug", "info", "warn", "error"];

/**
 * Logs one line of JSON each to standard error, from `level` up (default `info`). The default of workers. Lines up to
 * `info` are written together at the end of a turn of the event loop, warnings and errors at once, all in order.
 */
export function jsonLogger(options: { readonly level?: Level; readonly fields?: object } = {}): Logger {
  return createJsonLogger({ ...options, write: createLineWriter() });
}

interface JsonLoggerParts {
  readonly level?: Level;
  readonly fields?: object;
  readonly write: (line: string, isUrgent: boolean) => void;
}

function createJsonLogger({ level: lowest = "info", fields: own, write }: JsonLoggerParts): Logger {
  const threshold = levels.indexOf(lowest);
  const log = (level: Level): Logger["info"] => {
    const rank = levels.indexOf(level);
    if (rank < threshold) return () => undefined;
    return (fields, message) => {
      const line = { time: new Date().toISOString(), level, ...own, ...fields, message };
      write(`${JSON.stringify(line, errorsAsData)}\n`, rank > levels.indexOf("info"));
    };
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => createJsonLogger({ level: lowest, fields: { ...own, ...fields }, write }),
  };
}

/** A write to a pipe holds up the whole process: where tasks pass by the thousand, each line would. */
function createLineWriter(): JsonLoggerParts["write"] {
  let waiting = "";
  const flush = (): void => {
    if (waiting === "") return;
    const lines = waiting;
    waiting = "";
    process.off("exit", flush);
    process.stderr.write(lines);
  };
  return (line, isUrgent) => {
    if (waiting === "" && !isUrgent) {
      process.once("exit", flush);
      setImmediate(flush);
    }
    waiting += line;
    if (isUrgent) flush();
  };
}

function errorsAsData(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? String(value) : value;
  return {
    name: value.name,
    message: value.message,
    stack: value.stack,
    ...("code" in value && { code: value.code }),
    ...(value.cause !== undefined && { cause: value.cause }),
  };
}
