import type { StandardSchemaV1 } from "@standard-schema/spec";
import { OptionError, ValidationError, type ValidationIssue } from "./errors.ts";

/** Any schema of the Standard Schema specification (standardschema.dev), such as those of zod, valibot and arktype. */
export type Schema<TInput = unknown, TOutput = TInput> = StandardSchemaV1<TInput, TOutput>;

/** What goes into a schema, and what comes out of it. */
export type SchemaInput<TSchema extends Schema> = StandardSchemaV1.InferInput<TSchema>;
export type SchemaOutput<TSchema extends Schema> = StandardSchemaV1.InferOutput<TSchema>;

/** A schema that checks nothing: a type in the place of a schema. The type is then a promise of the caller. */
export function type<T>(): Schema<T, T> {
  return { "~standard": { version: 1, vendor: "taskferry", validate: (value) => ({ value: value as T }) } };
}

/** @throws OptionError `OPTION_INVALID` unless `value` is a Standard Schema of version 1. */
export function checkSchema(name: string, value: unknown): Schema {
  const standard = (value as Partial<Schema> | null | undefined)?.["~standard"];
  if (standard?.version === 1 && typeof standard.validate === "function") return value as Schema;
  throw new OptionError(
    "OPTION_INVALID",
    `${name}: expected a Standard Schema (zod, valibot, arktype, ...) or type<T>(), got ${typeof value}.`,
  );
}

/**
 * Runs a schema and gives what comes out of it; a promise only where the schema is asynchronous.
 *
 * @throws ValidationError with `code` and all issues.
 */
export function validate(
  schema: Schema,
  value: unknown,
  subject: { readonly code: "INPUT_INVALID" | "OUTPUT_INVALID"; readonly name: string },
): unknown {
  const checked = schema["~standard"].validate(value);
  return checked instanceof Promise ? checked.then((result) => unwrap(result, subject)) : unwrap(checked, subject);
}

function unwrap(
  result: StandardSchemaV1.Result<unknown>,
  subject: { readonly code: "INPUT_INVALID" | "OUTPUT_INVALID"; readonly name: string },
): unknown {
  if (result.issues === undefined) return result.value;
  const issues: ValidationIssue[] = result.issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment)),
  }));
  const list = issues.map(({ path, message }) => `${["$", ...path.map(String)].join(".")}: ${message}`).join("; ");
  throw new ValidationError(subject.code, `${subject.name} does not match its schema: ${list}`, issues);
}
