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

/** Logs one line of JSON each to standard error, from `level` up (default `info`). The default of workers. */
export function jsonLogger(options: { readonly level?: Level; readonly fields?: object } = {}): Logger {
  const threshold = levels.indexOf(options.level ?? "info");
  const log = (level: Level) => (fields: object, message: string) => {
    if (levels.indexOf(level) < threshold) return;
    const line = { time: new Date().toISOString(), level, ...options.fields, ...fields, message };
    process.stderr.write(`${JSON.stringify(line, errorsAsData)}\n`);
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => jsonLogger({ ...options, fields: { ...options.fields, ...fields } }),
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
