import { types } from "node:util";
import { isTaskferryError, SerializationError } from "../errors.ts";
import { formatPath, type PathStep } from "./json-path.ts";

/** What the writer of tags depends on: how deep it goes, and what the format below it has of its own. */
export interface TagFormat {
  /** Names the format in refusals, such as `"JSON"`. */
  readonly name: string;
  readonly maxDepth: number;
  /** Bytes are left as they are, and texts must be what UTF-8 can carry. Without it, bytes are written as base64. */
  readonly isBinary: boolean;
}

/** Decimal digits of a bigint: converting longer ones blocks the process. */
export const maxBigIntDigits = 10_000;
const firstTooLong = 10n ** BigInt(maxBigIntDigits);

/**
 * Whether the format writes `value` as it is. One cheap walk: it says no to whatever needs a closer look, cycles and
 * getters that throw among them, which {@link writeTagged} takes.
 */
export function isPlainData(value: unknown, { maxDepth, isBinary }: TagFormat): boolean {
  try {
    return isPlain(value, maxDepth, isBinary);
  } catch {
    return false;
  }
}

function isPlain(value: unknown, depthLeft: number, isBinary: boolean): boolean {
  switch (typeof value) {
    case "string":
      return !isBinary || value.isWellFormed();
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      return value === null || (depthLeft > 0 && holdsPlainData(value, depthLeft - 1, isBinary));
    default:
      return false;
  }
}

function holdsPlainData(value: object, depthLeft: number, isBinary: boolean): boolean {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) {
    const items = value as readonly unknown[];
    for (let index = 0; index < items.length; index += 1) {
      if (!isPlain(items[index], depthLeft, isBinary)) return false;
    }
    return true;
  }
  if (prototype === Uint8Array.prototype) return isBinary;
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    if (isSpecialKey(key) || !isPlain((value as Record<string, unknown>)[key], depthLeft, isBinary)) return false;
    if (isBinary && !key.isWellFormed()) return false;
  }
  return true;
}

function isSpecialKey(key: string): boolean {
  return key === "$tf" || key === "__proto__" || key === "constructor";
}

/**
 * Builds what the format writes for `value`: plain data in which everything else is tagged.
 *
 * @throws SerializationError `NOT_SERIALIZABLE` with the path to what cannot be carried.
 */
export function writeTagged(value: unknown, format: TagFormat): unknown {
  const writer = new Writer(format);
  try {
    return writer.write(value);
  } catch (error) {
    throw isTaskferryError(error, "NOT_SERIALIZABLE") ? error : writer.refuseThrown(error);
  }
}

function tag(...content: readonly unknown[]): unknown {
  return { $tf: content };
}

class Writer {
  readonly #format: TagFormat;
  readonly #path: PathStep[] = [];
  readonly #ancestors: object[] = [];

  constructor(format: TagFormat) {
    this.#format = format;
  }

  write(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return this.#checkText(value);
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tag("number", Object.is(value, -0) ? "-0" : String(value));
      case "bigint":
        if (value < firstTooLong && value > -firstTooLong) return tag("BigInt", value.toString());
        throw this.#refuse(`a bigint of more than ${maxBigIntDigits} digits`, "Send its bytes.");
      case "undefined":
        return tag("undefined");
      case "object":
        return value === null ? null : this.#enter(value);
      default:
        throw this.#refuse(`a ${typeof value}`, "Send data only.");
    }
  }

  /** The refusal for what a getter, a `toJSON` or a proxy of the value threw. */
  refuseThrown(cause: unknown): SerializationError {
    return this.#refuse("a value that threw when it was read", "See the cause.", cause);
  }

  #step(step: PathStep, value: unknown): unknown {
    this.#path.push(step);
    const written = this.write(value);
    this.#path.pop();
    return written;
  }

  #enter(value: object): unknown {
    if (this.#ancestors.includes(value))
      throw this.#refuse("a cycle: a value that contains itself", "Send the id of the part instead.");
    if (this.#ancestors.length === this.#format.maxDepth) {
      throw this.#refuse(
        `a value nested more than ${this.#format.maxDepth} deep`,
        "Flatten it, or raise `maxDepth` of the serializer on both sides.",
      );
    }
    this.#ancestors.push(value);
    const written = this.#writeObject(value, false);
    this.#ancestors.pop();
    return written;
  }

  #writeObject(value: object, isConverted: boolean): unknown {
    if (Array.isArray(value)) return this.#writeItems(value);
    if (types.isDate(value)) return tag("Date", Number.isNaN(value.getTime()) ? null : value.getTime());
    if (types.isMap(value)) return tag("Map", this.#writeEntries(value));
    if (types.isSet(value)) return tag("Set", this.#writeItems([...value]));
    if (types.isUint8Array(value)) return this.#writeBytes(value);
    if (types.isNativeError(value) || value instanceof Error) return tag("Error", this.#writeError(value));
    if (types.isBoxedPrimitive(value)) return this.write(value.valueOf());
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (typeof toJSON === "function" && !isConverted) return this.#writeConverted(toJSON.call(value, this.#lastKey()));
    const fault = findFault(value);
    if (fault !== undefined) throw this.#refuse(...fault);
    return this.#writeProperties(value);
  }

  #checkText(text: string): string {
    if (!this.#format.isBinary || text.isWellFormed()) return text;
    throw this.#refuse("a text with half a surrogate pair, which UTF-8 cannot carry", "Send its bytes.");
  }

  #writeBytes(bytes: Uint8Array): unknown {
    if (!this.#format.isBinary) return tag(Buffer.isBuffer(bytes) ? "Buffer" : "bytes", toBase64(bytes));
    return Buffer.isBuffer(bytes) ? tag("Buffer", new Uint8Array(bytes)) : bytes;
  }

  #writeItems(items: readonly unknown[]): unknown[] {
    return Array.from(items, (item, index) => this.#step(index, item));
  }

  #writeEntries(map: ReadonlyMap<unknown, unknown>): unknown[] {
    return Array.from(map, ([key, value], index) => [
      this.#step({ part: `key ${index}` }, key),
      this.#step({ part: `value ${index}` }, value),
    ]);
  }

  #writeError(error: Error): unknown {
    const { code } = error as { readonly code?: unknown };
    return {
      name: this.#checkText(String(error.name)),
      message: this.#checkText(String(error.message)),
      ...(typeof error.stack === "string" && { stack: error.stack.toWellFormed() }),
      ...((typeof code === "string" || (typeof code === "number" && Number.isFinite(code))) && { code }),
      ...(Object.hasOwn(error, "cause") && { cause: this.#step("cause", error.cause) }),
    };
  }

  /** As in JSON.stringify, the `toJSON` of what `toJSON` returned is not called. */
  #writeConverted(converted: unknown): unknown {
    return typeof converted === "object" && converted !== null
      ? this.#writeObject(converted, true)
      : this.write(converted);
  }

  #writeProperties(value: object): unknown {
    const written: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      const property = (value as Record<string, unknown>)[key];
      if (key === "__proto__" || (key === "constructor" && holdsPrototype(property))) {
        this.#path.push(key);
        throw this.#refuse("a property that could change prototypes", "No reader accepts it: rename it.");
      }
      written[this.#checkText(key)] = this.#step(key, property);
    }
    return Object.hasOwn(written, "$tf") ? tag("object", written) : written;
  }

  #lastKey(): string {
    const step = this.#path.at(-1);
    return step === undefined || typeof step === "object" ? "" : String(step);
  }

  #refuse(found: string, advice: string, cause?: unknown): SerializationError {
    const path = formatPath(this.#path);
    return new SerializationError(
      "NOT_SERIALIZABLE",
      `Expected a value that ${this.#format.name} can carry, got ${found} at ${path}. ${advice}`,
      cause === undefined ? { path } : { path, cause },
    );
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function holdsPrototype(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "prototype");
}

function findFault(value: object): [found: string, advice: string] | undefined {
  if (types.isPromise(value)) return ["a promise", "Await it first."];
  if (ArrayBuffer.isView(value))
    return [`a ${nameOf(value)}`, "Send its bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength)."];
  if (types.isAnyArrayBuffer(value)) return [`a ${nameOf(value)}`, "Send its bytes: new Uint8Array(buffer)."];
  if (types.isRegExp(value)) return ["a RegExp", "Send its source and flags."];
  const isBuiltIn = Symbol.toStringTag in value && Object.getPrototypeOf(value) !== null;
  if (isBuiltIn && Object.keys(value).length === 0)
    return [`a ${nameOf(value)}, which would arrive empty`, "Send the data it stands for."];
  return undefined;
}

function nameOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
