import { inspect } from "node:util";
import { cleanText } from "./clean-text.ts";
import type { Redact } from "./redact.ts";

const maxCauses = 4;

/** An error for people: what went wrong and why. With `stack`, everything that is known of it. */
export function describeError(error: unknown, options: { readonly stack: boolean; readonly redact: Redact }): string {
  const text = options.stack ? inspect(error, { depth: 6 }) : summarize(error);
  return options.redact(cleanText(text));
}

/** The message of an error and, where they add to it, those of its causes. */
export function summarize(error: unknown): string {
  const lines = [headline(error)];
  let cause = causeOf(error);
  for (let depth = 0; cause !== undefined && depth < maxCauses; depth += 1) {
    const line = headline(cause);
    if (!lines.some((known) => known.includes(line))) lines.push(`  because: ${line}`);
    cause = causeOf(cause);
  }
  return lines.join("\n");
}

function headline(error: unknown): string {
  if (!(error instanceof Error)) return `something that is no Error was thrown: ${inspect(error, { depth: 1 })}`;
  const { code } = error as { readonly code?: unknown };
  const members = error instanceof AggregateError ? error.errors.map(headline).join("; ") : "";
  const message = error.message || members || error.name;
  return typeof code === "string" && !message.includes(code) ? `${message} (${code})` : message;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
