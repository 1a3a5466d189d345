import { type Config, jsonLogger, type Logger, silentLogger } from "@taskferry/core";
import type { LogLevel } from "../output/log-level.ts";
import { createPaint } from "../output/paint.ts";
import { prettyLogger } from "../output/pretty-logger.ts";
import type { Terminal } from "../terminal.ts";

export const logFormats = ["auto", "pretty", "json"] as const;

export interface LogFlags {
  readonly logLevel?: LogLevel;
  readonly logFormat?: (typeof logFormats)[number];
}

/** What a worker logs through, and how much of each task it tells. */
export interface ChosenLogger {
  readonly logger: Logger;
  /** The level of the lines about tasks that went well; absent: none are written. */
  readonly taskLines: "info" | "debug" | undefined;
}

/** The command line decides, then the configuration's own logger, then the terminal: lines for people, or for programs. */
export function chooseLogger(
  { logLevel, logFormat }: LogFlags,
  config: Config,
  { stderr, env }: Terminal,
): ChosenLogger {
  if (config.logger !== undefined && logLevel === undefined && logFormat === undefined) {
    return { logger: config.logger, taskLines: undefined };
  }
  const level = logLevel ?? "info";
  if (level === "silent") return { logger: silentLogger, taskLines: undefined };
  const isPretty = logFormat === "pretty" || (logFormat !== "json" && stderr.isTTY === true);
  const logger = isPretty
    ? prettyLogger({ stream: stderr, level, paint: createPaint(stderr, env) })
    : jsonLogger({ level });
  // Somebody who watches wants to see the work go by; who collects logs does not want a line for each task.
  return { logger, taskLines: isPretty ? "info" : level === "debug" ? "debug" : undefined };
}
