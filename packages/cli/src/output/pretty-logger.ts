import { inspect } from "node:util";
import type { Logger } from "@taskferry/core";
import type { OutputStream } from "../terminal.ts";
import { cleanLine, cleanText } from "./clean-text.ts";
import { summarize } from "./describe-error.ts";
import type { LogLevel } from "./log-level.ts";
import { reaches } from "./log-level.ts";
import type { Paint } from "./paint.ts";

type Level = Exclude<LogLevel, "silent">;

const styles = { debug: "dim", info: "cyan", warn: "yellow", error: "red" } as const;

export interface PrettyLoggerOptions {
  readonly stream: OutputStream;
  readonly level: LogLevel;
  readonly paint: Paint;
  readonly fields?: object;
}

/** Logs for people: time, level, message, then what the line carries; errors with their stacks below. */
export function prettyLogger(options: PrettyLoggerOptions): Logger {
  const { stream, level: threshold, paint } = options;
  const log = (level: Level) => (fields: object, message: string) => {
    if (!reaches(level, threshold)) return;
    const time = new Date().toISOString().slice(11, 23);
    const head = `${paint("dim", time)} ${paint(styles[level], level.padEnd(5))} ${cleanLine(message)}`;
    stream.write(`${head}${formatFields({ ...options.fields, ...fields }, paint)}\n`);
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => prettyLogger({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

function formatFields(fields: object, paint: Paint): string {
  const parts: string[] = [];
  const blocks: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const error = asError(value);
    parts.push(` ${paint("dim", `${name}=`)}${formatValue(error === undefined ? value : summarize(error))}`);
    if (error?.stack !== undefined) blocks.push(`\n${paint("dim", indent(cleanText(error.stack)))}`);
  }
  return [...parts, ...blocks].join("");
}

/** An error, or the record of one as outcomes carry it. */
function asError(value: unknown): Error | undefined {
  if (value instanceof Error) return value;
  const isRecord = typeof value === "object" && value !== null && "name" in value && "message" in value;
  if (!isRecord || typeof value.name !== "string" || typeof value.message !== "string") return undefined;
  const error = Object.assign(new Error(value.message), { name: value.name }, value);
  if (!("stack" in value)) delete error.stack;
  return error;
}

function formatValue(value: unknown): string {
  const text = typeof value === "string" ? value : inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY });
  return cleanLine(text, 400);
}

function indent(text: string): string {
  return text.replace(/^/gm, "    ");
}
