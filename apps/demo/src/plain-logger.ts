import type { Logger } from "@taskferry/core";

/** Warnings and errors as lines for people who watch a terminal: who says it, and what. */
export function plainLogger(who: string): Logger {
  const say = (fields: object, message: string): void =>
    console.error(`${who.padEnd(6)} ${message}${describeFault(fields)}`);
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: say,
    error: say,
    child: () => logger,
  };
  return logger;
}

function describeFault(fields: object): string {
  const { error } = fields as { readonly error?: { readonly message?: unknown } };
  return typeof error?.message === "string" ? `: ${error.message}` : "";
}
