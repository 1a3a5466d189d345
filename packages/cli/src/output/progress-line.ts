import type { Handle, Progress } from "@taskferry/core";
import { isTaskferryError } from "@taskferry/core";
import type { Terminal } from "../terminal.ts";
import { cleanLine } from "./clean-text.ts";

const clearLine = "\r\u001b[2K";

/** Shows a task's progress in one line of a terminal until `signal` aborts; does nothing where nobody watches. */
export async function showProgress(handle: Handle, { stderr }: Terminal, signal: AbortSignal): Promise<void> {
  if (stderr.isTTY !== true) return;
  stderr.write(`Waiting for ${handle.id} …`);
  try {
    for await (const progress of handle.progress({ signal })) stderr.write(`${clearLine}${formatProgress(progress)}`);
  } catch (error) {
    if (!isTaskferryError(error, "STATE_REQUIRED")) throw error;
  } finally {
    stderr.write(clearLine);
  }
}

function formatProgress({ value, note }: Progress): string {
  const amount = value >= 0 && value <= 1 ? `${Math.round(value * 100)} %` : String(value);
  return note === undefined ? amount : `${amount}  ${cleanLine(note, 100)}`;
}
