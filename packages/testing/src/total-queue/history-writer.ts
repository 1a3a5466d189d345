import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { testingError } from "../testing-error.ts";
import { formatEvent, type HistoryEventName } from "./history-event.ts";

/** Records what happens to tasks, in a file of its own within the history's directory. */
export interface HistoryWriter extends Disposable {
  /** The file it writes to. */
  readonly path: string;

  /**
   * Records an event. It is in the file when the call returns, and stays there when this process is killed the moment
   * after. (A loss of power to the machine may take it.)
   *
   * @throws `HISTORY_BROKEN` when the disk did not take all of it.
   */
  record(event: HistoryEventName, id: string): void;

  /** Closes the file. Twice is once. */
  close(): void;
}

/**
 * Opens a history to write to. Any number of processes may do so at the same time, each as often as it likes.
 *
 * @param directory - made when it is not there.
 * @param writer - names the file, for people who look for it: `"worker"`. Default: `"history"`.
 */
export function openHistory(directory: string, writer = "history"): HistoryWriter {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${writer}-${process.pid}-${randomBytes(4).toString("hex")}.ndjson`);
  // A file for each writer: a line torn by a kill is then always the last of its file, never in the middle of another's.
  const file = openSync(path, "ax");
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    closeSync(file);
  };
  return {
    path,
    record: (event, id) => {
      const line = Buffer.from(formatEvent({ event, id, at: Date.now() }));
      const written = writeSync(file, line);
      if (written === line.length) return;
      throw testingError("HISTORY_BROKEN", `Expected to write ${line.length} bytes to ${path}, wrote ${written}.`);
    },
    close,
    [Symbol.dispose]: close,
  };
}
