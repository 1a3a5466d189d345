import type { Logger } from "../../logger.ts";
import { packFields } from "../isolation/log-fields.ts";
import type { LogReport } from "../isolation/protocol.ts";

/** Logs through the worker: each line goes there, with the fields of all loggers it came through. */
export function proxiedLogger(send: (report: LogReport) => void, base: object = {}): Logger {
  const log = (level: LogReport["level"]) => (fields: object, message: string) =>
    send({ type: "log", level, fields: packFields({ ...base, ...fields }), message: String(message) });
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => proxiedLogger(send, { ...base, ...fields }),
  };
}
