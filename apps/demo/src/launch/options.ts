import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { isMode, type Mode } from "../web/picture.ts";

export const help = `Usage: npm run demo -- [options]

Starts a web application and one worker as separate processes, and prints the address.

Options:
  --port NUMBER       where to listen (default: 4400, or any free port when that is taken; 0: any free port)
  --host ADDRESS      on which address (default: 127.0.0.1)
  --check [FOLDER]    no browser: upload every picture of the folder over HTTP, wait for the results, print a table
                      and the latency of a cheap endpoint while the work ran (default: samples that are drawn first)
  --mode MODE         with --check: "queue" (default), or "inline" for the same work inside the request
  --help              this text

Exit codes: 0 all went well; 1 something did not, or with --check, not every picture came out; 2 wrong usage.

The broker comes from the environment:
  npm run demo                                            a SQLite file
  TASKFERRY_BROKER=redis://localhost:6379 npm run demo    Redis
`;

export interface Options {
  readonly help: boolean;
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly check: CheckOptions | undefined;
}

export interface CheckOptions {
  /** Absent: the samples. */
  readonly folder: string | undefined;
  readonly mode: Mode;
}

/** What was asked for cannot be done; the message says how to ask. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @param from - the folder in which the user typed the command: a relative FOLDER begins there. */
export function parseOptions(args: readonly string[], from: string): Options {
  const { values, positionals } = parse(args);
  const { mode = "queue", check = false } = values;
  if (!isMode(mode)) throw new UsageError(`--mode: expected "queue" or "inline", got ${JSON.stringify(mode)}.`);
  if (!check && values.mode !== undefined)
    throw new UsageError("--mode goes with --check. The page has a switch of its own.");
  if (positionals.length > (check ? 1 : 0))
    throw new UsageError(
      `Expected ${check ? "one folder" : "no folder without --check"}, got ${positionals.join(" ")}.`,
    );
  const [folder] = positionals;
  return {
    help: values.help ?? false,
    port: values.port === undefined ? undefined : parsePort(values.port),
    host: values.host,
    check: check ? { folder: folder === undefined ? undefined : resolve(from, folder), mode } : undefined,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        check: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        host: { type: "string" },
        mode: { type: "string" },
        port: { type: "string" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parsePort(text: string): number {
  const port = Number(text);
  if (text !== "" && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new UsageError(`--port: expected a number from 0 to 65535, got ${JSON.stringify(text)}.`);
}
