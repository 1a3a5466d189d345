import { resolve } from "node:path";
import { ConfigurationError, type Duration, OptionError, parseDuration } from "@taskferry/core";
import type { ThreadOptions } from "./protocol.ts";

/** Which file, and how. Several values on one file of one process should have the same options: they share a thread then. */
export interface SqliteOptions {
  /** The file. It is created with its folder where it is not there. A relative path begins at the working directory. */
  readonly path?: string;
  /**
   * In place of `path`: `"sqlite:/var/lib/app/queue.db"`. The other options may follow as a query:
   * `"sqlite:/var/lib/app/queue.db?synchronous=full"`.
   */
  readonly url?: string;
  /**
   * When a write is on the disk. `"normal"` (default): soon after; it survives the death of every process, while a loss
   * of power may undo the last writes, yet never spoils the file. `"full"`: before it is answered.
   */
  readonly synchronous?: "normal" | "full";
  /** How long a call but `take` and waits may take, and opening the file. `publish` has a limit of its own. Default `"10s"`. */
  readonly timeout?: Duration;
  /** How long a publish is recognised after its message left the queue. Default `"10m"`. */
  readonly dedupeWindow?: Duration;
}

const scheme = "sqlite:";
const names = ["synchronous", "timeout", "dedupeWindow"] as const;

/** @throws ConfigurationError `URL_INVALID`; OptionError `OPTION_INVALID`, `DURATION_INVALID`. */
export function readOptions(options: SqliteOptions): ThreadOptions {
  const { path, synchronous = "normal", timeout = "10s", dedupeWindow = "10m" } = withUrl(options);
  if (typeof path !== "string" || path === "") {
    throw new OptionError(
      "OPTION_INVALID",
      `Expected a \`path\` or a \`url\` that names a file, got ${JSON.stringify(options)}.`,
    );
  }
  if (path === ":memory:" || path.startsWith("file:")) {
    throw new OptionError(
      "OPTION_INVALID",
      `Expected the path of a file, got ${JSON.stringify(path)}. For a broker in memory, use memory() of @taskferry/core.`,
    );
  }
  if (synchronous !== "normal" && synchronous !== "full") {
    throw new OptionError(
      "OPTION_INVALID",
      `synchronous: expected "normal" or "full", got ${JSON.stringify(synchronous)}.`,
    );
  }
  return {
    path: resolve(path),
    synchronous,
    timeout: positive("timeout", timeout),
    dedupeWindow: positive("dedupeWindow", dedupeWindow),
  };
}

function positive(name: string, duration: Duration): number {
  const milliseconds = parseDuration(duration, name);
  if (milliseconds > 0) return milliseconds;
  throw new OptionError("OPTION_INVALID", `${name}: expected more than 0 ms, got ${JSON.stringify(duration)}.`);
}

function withUrl({ url, ...options }: SqliteOptions): SqliteOptions {
  if (url === undefined) return options;
  if (options.path !== undefined) {
    throw new OptionError("OPTION_INVALID", "Expected either `path` or `url`, got both.");
  }
  return { ...options, ...readUrl(url) };
}

function readUrl(url: string): SqliteOptions {
  if (!url.startsWith(scheme)) {
    throw new ConfigurationError(
      "URL_INVALID",
      `Expected a URL such as "sqlite:/var/lib/app/queue.db", got ${JSON.stringify(url)}.`,
    );
  }
  const [path = "", query = ""] = url.slice(scheme.length).split("?", 2);
  if (path === "" || path === ":memory:") {
    throw new ConfigurationError(
      "URL_INVALID",
      `Expected the path of a file after "sqlite:", got ${JSON.stringify(url)}. For a broker in memory, use "memory:".`,
    );
  }
  const settings = [...new URLSearchParams(query)];
  const unknown = settings.find(([name]) => !names.some((known) => known === name));
  if (unknown !== undefined) {
    throw new ConfigurationError(
      "URL_INVALID",
      `${JSON.stringify(url)}: expected only ${names.join(", ")} after the "?", got ${JSON.stringify(unknown[0])}.`,
    );
  }
  // Three slashes and one name the same file.
  return { path: path.replace(/^\/\/(?=\/)/, ""), ...Object.fromEntries(settings.map(readSetting)) };
}

/** A number without a unit is milliseconds, as it is outside of a URL. */
function readSetting([name, value]: readonly [string, string]): readonly [string, string | number] {
  return [name, /^\d+$/.test(value) ? Number(value) : value];
}
