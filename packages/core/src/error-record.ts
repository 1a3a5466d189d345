import type { ErrorRecord } from "./outcome.ts";

const maxDepth = 5;
const maxText = 16_384;

/** An error, or whatever else was thrown, as plain data. Long texts are cut at 16 KiB, chains of causes at five. */
export function recordError(thrown: unknown, depth = 0): ErrorRecord {
  if (!(thrown instanceof Error)) {
    return {
      name: "NonError",
      message: cut(`The handler threw ${describe(thrown)}, which is no Error. Throw an Error to keep its stack.`),
    };
  }
  const { code } = thrown as { readonly code?: unknown };
  return {
    name: cut(String(thrown.name)),
    message: cut(String(thrown.message)),
    ...(typeof code === "string" && { code: cut(code) }),
    ...(typeof thrown.stack === "string" && { stack: cut(thrown.stack) }),
    ...(thrown.cause !== undefined && depth < maxDepth && { cause: recordError(thrown.cause, depth + 1) }),
  };
}

/** An Error with the name, message, code, stack and causes of a record. It is of no class but Error. */
export function reviveError(record: ErrorRecord): Error {
  const error = new Error(
    record.message,
    record.cause === undefined ? undefined : { cause: reviveError(record.cause) },
  );
  error.name = record.name;
  if (record.stack !== undefined) error.stack = record.stack;
  return record.code === undefined ? error : Object.assign(error, { code: record.code });
}

const classesKey = Symbol.for("taskferry.error-classes");

/** The classes of an error by name, its own first: what a record of it cannot keep. */
export function classesOf(thrown: unknown): readonly string[] {
  if (!(thrown instanceof Error)) return [];
  const kept = (thrown as { readonly [classesKey]?: readonly string[] })[classesKey];
  if (kept !== undefined) return kept;
  const classes: string[] = [];
  for (let of: unknown = Object.getPrototypeOf(thrown); of instanceof Error; of = Object.getPrototypeOf(of))
    classes.push(String(of.constructor.name));
  return [...classes, "Error"];
}

/** Lets `classesOf` say of a revived error what it said of the original. */
export function keepClasses(error: Error, classes: readonly string[]): Error {
  return Object.defineProperty(error, classesKey, { value: classes });
}

function describe(value: unknown): string {
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  try {
    return typeof value === "bigint" ? `${value}n` : String(JSON.stringify(value) ?? value);
  } catch {
    return `a value of type ${typeof value}`;
  }
}

function cut(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}… (${text.length} characters)` : text;
}
