import { OptionError } from "../errors.ts";

const idPattern = /^[A-Za-z0-9_-]{1,40}$/;
const base64Pattern = /^[A-Za-z0-9+/_-]*={0,2}$/;

/** @throws OptionError `OPTION_INVALID` unless `id` is 1 to 40 letters, digits, `_` or `-`. */
export function checkKeyId(id: string): string {
  if (typeof id === "string" && idPattern.test(id)) return id;
  throw new OptionError("OPTION_INVALID", 'Expected a key id of 1 to 40 letters, digits, "_" or "-".');
}

/**
 * The bytes of a secret, given as they are or in base64. What was given never stands in an error.
 *
 * @throws OptionError `OPTION_INVALID` for another length than allowed.
 */
export function readSecret(
  id: string,
  secret: string | Uint8Array,
  { from, to }: { readonly from: number; readonly to: number },
): Buffer {
  const invalid = (found: string): OptionError =>
    new OptionError(
      "OPTION_INVALID",
      `Key ${id}: expected ${from === to ? from : `at least ${from}`} bytes, as they are or in base64, got ${found}. Make one with: openssl rand -base64 ${from}`,
    );
  const isText = typeof secret === "string";
  if (!isText && !(secret instanceof Uint8Array)) throw invalid(`a value of type ${typeof secret}`);
  if (isText && !base64Pattern.test(secret)) throw invalid("a text that is not base64");
  const bytes = isText ? Buffer.from(secret, "base64") : Buffer.from(secret);
  if (bytes.length >= from && bytes.length <= to) return bytes;
  throw invalid(`${bytes.length} bytes`);
}
