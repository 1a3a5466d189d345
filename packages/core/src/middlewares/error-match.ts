import { classesOf } from "../error-record.ts";

/** Names errors: by class, by `name` or `code`, or by a test of its own. */
export type ErrorMatch =
  | (abstract new (
      ...args: never
    ) => Error)
  | string
  | { readonly test: (error: unknown) => boolean };

/** Classes match by `instanceof` and, for what was thrown in another thread or process, by their names. */
export function matchesAny(error: unknown, matches: readonly ErrorMatch[]): boolean {
  return matches.some((match) => {
    if (typeof match === "function")
      return error instanceof match || (match.name !== "" && classesOf(error).includes(match.name));
    if (typeof match === "object") return match.test(error);
    return error instanceof Error && (error.name === match || (error as { readonly code?: unknown }).code === match);
  });
}
