import type { Handle, Outcome } from "@taskferry/core";
import { showProgress } from "./output/progress-line.ts";
import type { Terminal } from "./terminal.ts";

/** Waits for an outcome, and shows the progress meanwhile. Errors as of `handle.outcome()`. */
export async function waitForOutcome(
  handle: Handle,
  terminal: Terminal,
  timeout: number | undefined,
): Promise<Outcome> {
  const end = new AbortController();
  const showing = showProgress(handle, terminal, end.signal);
  try {
    return await handle.outcome(timeout === undefined ? {} : { timeout });
  } finally {
    end.abort();
    await showing;
  }
}
