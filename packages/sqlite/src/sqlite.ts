import type { Broker, ResultBackend, StateStore } from "@taskferry/core";
import { createBroker } from "./broker.ts";
import { linkTo } from "./links.ts";
import { readOptions, type SqliteOptions } from "./options.ts";
import { createResults } from "./results.ts";
import { createState } from "./state.ts";

/**
 * A broker in one SQLite file, shared by the processes of one machine. Its `companions` are a result backend and a state
 * store in the same file.
 *
 * It delivers at least once: a message is gone only when it was settled, and whatever a killed process held is delivered
 * again when its lease ends.
 *
 * @throws OptionError `OPTION_INVALID`, `DURATION_INVALID`; ConfigurationError `URL_INVALID`.
 */
export function sqlite(options: SqliteOptions): Broker {
  const settings = readOptions(options);
  return createBroker(linkTo(settings), settings);
}

/** A result backend in one SQLite file, shared by the processes of one machine. Errors as of {@link sqlite}. */
export function sqliteResults(options: SqliteOptions): ResultBackend {
  const settings = readOptions(options);
  return createResults(linkTo(settings), settings);
}

/** A state store in one SQLite file, shared by the processes of one machine. Errors as of {@link sqlite}. */
export function sqliteState(options: SqliteOptions): StateStore {
  const settings = readOptions(options);
  return createState(linkTo(settings), settings);
}
