import type { StartFailure } from "./messages.ts";

/** Tells the test why a program ends, and lets it end by itself with exit code 1. */
export function failToStart(error: unknown): void {
  const { code, message = String(error) } = error as { readonly code?: string; readonly message?: string };
  const failure: StartFailure = { type: "failed", code, message };
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
  process.send?.(failure);
}
