import { SerializationError } from "../errors.ts";
import { formatPath, type PathStep } from "./json-path.ts";
import { holdsPrototype, maxBigIntDigits, type TagFormat } from "./json-writer.ts";

/**
 * Whether what JSON.parse made of `text` can be handed out as it is: no tag, no key that pollutes prototypes, and not
 * deeper than allowed. Cheap and cautious; a no only means that {@link readTagged} has to look.
 */
export function canSkipReading(text: string, parsed: unknown, maxDepth: number): boolean {
  // An escape such as \u0070 could hide a name.
  if (text.includes('$tf"') || text.includes("__proto__") || text.includes("prototype") || text.includes("\\u"))
    return false;
  return !mayBeDeep(text, maxDepth) || isWithin(parsed, maxDepth);
}

/** A value nested n deep takes 2n brackets at least, and n opening ones. */
function mayBeDeep(text: string, maxDepth: number): boolean {
  if (text.length < 2 * (maxDepth + 1)) return false;
  let openings = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      openings += 1;
      if (openings > maxDepth) return true;
    }
  }
  return false;
}

function isWithin(value: unknown, depthLeft: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depthLeft === 0) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      if (!isWithin(value[index], depthLeft - 1)) return false;
    }
    return true;
  }
  for (const key in value) {
    if (!isWithin((value as Record<string, unknown>)[key], depthLeft - 1)) return false;
  }
  return true;
}

/**
 * Turns what the parser made into the value that was written. Changes `parsed` in place.
 *
 * @throws SerializationError `NOT_DESERIALIZABLE` with the path to what is refused.
 */
export function readTagged(parsed: unknown, format: TagFormat): unknown {
  return new Reader(format).read(parsed);
}

const builtInErrors: Readonly<Record<string, new (message: string) => Error>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};
const specialNumbers = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["-0", -0],
]);
const bigIntPattern = /^-?\d+$/;
const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

class Reader {
  readonly #format: TagFormat;
  readonly #path: PathStep[] = [];
  #depth = 0;

  constructor(format: TagFormat) {
    this.#format = format;
  }

  read(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (this.#format.isBinary && value instanceof Uint8Array) return Uint8Array.from(value);
    const { maxDepth } = this.#format;
    if (this.#depth === maxDepth) throw this.#refuse(`a value nested more than ${maxDepth} deep`);
    this.#depth += 1;
    const read = Array.isArray(value) ? this.#readItems(value) : this.#readObject(value as Record<string, unknown>);
    this.#depth -= 1;
    return read;
  }

  #readObject(value: Record<string, unknown>): unknown {
    if (!Object.hasOwn(value, "$tf")) return this.#readProperties(value);
    if (Object.keys(value).length > 1) throw this.#refuse('an object with "$tf" and other keys that is not escaped');
    return this.#readTag(value.$tf);
  }

  #step(step: PathStep, value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    this.#path.push(step);
    const read = this.read(value);
    this.#path.pop();
    return read;
  }

  #readItems(items: unknown[]): unknown[] {
    for (let index = 0; index < items.length; index += 1) items[index] = this.#step(index, items[index]);
    return items;
  }

  #readProperties(value: Record<string, unknown>): unknown {
    for (const key of Object.keys(value)) {
      if (key === "__proto__") throw this.#refuse('the key "__proto__"', key);
      const read = this.#step(key, value[key]);
      if (key === "constructor" && holdsPrototype(read)) throw this.#refuse('one that holds "prototype"', key);
      value[key] = read;
    }
    return value;
  }

  #readTag(content: unknown): unknown {
    if (!Array.isArray(content)) throw this.#refuse("a tag that is no list");
    const [name, inner] = content as unknown[];
    const read = this.#readContent(name, inner);
    if (content.length !== (name === "undefined" ? 1 : 2))
      throw this.#refuse(`a tag "${String(name)}" of ${content.length} parts`);
    return read;
  }

  #readContent(name: unknown, inner: unknown): unknown {
    switch (name) {
      case "undefined":
        return undefined;
      case "Date":
        return this.#readDate(inner);
      case "BigInt":
        return this.#readBigInt(inner);
      case "number":
        return this.#readNumber(inner);
      case "bytes":
        return new Uint8Array(this.#readBase64(inner).buffer);
      case "Buffer":
        return inner instanceof Uint8Array ? copy(inner) : this.#readBase64(inner);
      case "Set":
        return new Set(this.#readItems(this.#requireList(inner, "Set")));
      case "Map":
        return this.#readMap(this.#requireList(inner, "Map"));
      case "Error":
        return this.#readError(this.#requireObject(inner, "Error"));
      case "object":
        return this.#readProperties(this.#requireObject(inner, "object"));
      default:
        throw this.#refuse(
          typeof name === "string"
            ? `the tag ${JSON.stringify(name.slice(0, 60))}, which this version does not know`
            : "a tag without a name",
        );
    }
  }

  #readDate(inner: unknown): Date {
    if (inner === null) return new Date(Number.NaN);
    const date = new Date(typeof inner === "number" ? inner : Number.NaN);
    if (Number.isNaN(date.getTime())) throw this.#refuse("a Date that is no time");
    return date;
  }

  #readBigInt(inner: unknown): bigint {
    if (typeof inner === "string" && inner.length <= maxBigIntDigits + 1 && bigIntPattern.test(inner))
      return BigInt(inner);
    throw this.#refuse(`a BigInt that is not 1 to ${maxBigIntDigits} digits`);
  }

  #readNumber(inner: unknown): number {
    const value = typeof inner === "string" ? specialNumbers.get(inner) : undefined;
    if (value === undefined) throw this.#refuse("a tagged number that is none of NaN, Infinity, -Infinity, -0");
    return value;
  }

  /** Memory of its own, not a slice of Node's pool: a reader may look at `buffer` too. */
  #readBase64(inner: unknown): Buffer {
    if (typeof inner !== "string" || inner.length % 4 !== 0 || !base64Pattern.test(inner))
      throw this.#refuse("bytes that are not base64");
    const padding = inner.endsWith("==") ? 2 : inner.endsWith("=") ? 1 : 0;
    const bytes = Buffer.alloc((inner.length / 4) * 3 - padding);
    bytes.write(inner, "base64");
    return bytes;
  }

  #readMap(pairs: readonly unknown[]): Map<unknown, unknown> {
    const map = new Map<unknown, unknown>();
    pairs.forEach((pair, index) => {
      if (!Array.isArray(pair) || pair.length !== 2) throw this.#refuse(`a Map whose entry ${index} is no pair`);
      map.set(this.#step({ part: `key ${index}` }, pair[0]), this.#step({ part: `value ${index}` }, pair[1]));
    });
    return map;
  }

  #readError(fields: Record<string, unknown>): Error {
    const { name, message, stack, code } = fields;
    if (typeof name !== "string" || typeof message !== "string")
      throw this.#refuse("an Error without name and message");
    const error = new (Object.hasOwn(builtInErrors, name) ? (builtInErrors[name] ?? Error) : Error)(message);
    if (error.name !== name) define(error, "name", name);
    define(error, "stack", typeof stack === "string" ? stack : undefined);
    if (typeof code === "string" || typeof code === "number") Object.assign(error, { code });
    if (Object.hasOwn(fields, "cause")) define(error, "cause", this.#step("cause", fields.cause));
    return error;
  }

  #requireList(inner: unknown, name: string): unknown[] {
    if (Array.isArray(inner)) return inner;
    throw this.#refuse(`a ${name} that is no list`);
  }

  #requireObject(inner: unknown, name: string): Record<string, unknown> {
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) return inner as Record<string, unknown>;
    throw this.#refuse(`an ${name} that is no object`);
  }

  #refuse(found: string, ...key: PathStep[]): SerializationError {
    const path = formatPath([...this.#path, ...key]);
    return new SerializationError(
      "NOT_DESERIALIZABLE",
      `Expected a value that this serializer wrote, got ${found} at ${path}.`,
      { path },
    );
  }
}

function copy(bytes: Uint8Array): Buffer {
  const own = Buffer.alloc(bytes.length);
  own.set(bytes);
  return own;
}

/** Not enumerable, as on errors that JavaScript makes. */
function define(error: Error, name: "cause" | "name" | "stack", value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, configurable: true, enumerable: false });
}
