import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonSerializer } from "../src/index.ts";

const serializer = jsonSerializer();
const survive = (value: unknown): unknown => serializer.deserialize(serializer.serialize(value));

const key = fc.oneof(fc.string(), fc.constantFrom("$tf", "toString", "constructor", "length", "__proto", "prototype"));
const { value } = fc.letrec((tie) => {
  const inner = tie("value");
  const error = fc
    .record({
      make: fc.constantFrom(Error, TypeError, RangeError),
      message: fc.string(),
      code: fc.string(),
      cause: inner,
    })
    .map(({ make, message, code, cause }) => Object.assign(new make(message, { cause }), { code }));
  return {
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0),
        fc.bigInt(),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array(),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      fc.array(inner),
      fc.dictionary(key, inner, { noNullPrototype: true }).filter(isSafe),
      fc.array(inner).map((items) => new Set(items)),
      fc.array(fc.tuple(fc.oneof(fc.string(), inner), inner)).map((pairs) => new Map(pairs)),
      error,
    ),
  };
});

/** What no reader accepts, and no writer writes. */
function isSafe(object: Record<string, unknown>): boolean {
  if (Object.hasOwn(object, "__proto__")) return false;
  const { constructor: made } = object as { constructor?: unknown };
  return typeof made !== "object" || made === null || !Object.hasOwn(made, "prototype");
}

describe("a value survives", () => {
  test("whatever it is made of", () => {
    fc.assert(
      fc.property(value, (original) => {
        // Not expect(): it takes a key "constructor" for a class.
        assert.deepStrictEqual(survive(original), original);
      }),
      { numRuns: 1000 },
    );
  });

  test("plain JSON, in the bytes that JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (any) => {
        const json = JSON.stringify(any);
        fc.pre(!json.includes("$tf") && !json.includes("proto"));
        const original: unknown = JSON.parse(json);
        expect(Buffer.from(serializer.serialize(original)).toString()).toBe(json);
        expect(serializer.deserialize(Buffer.from(json))).toEqual(original);
      }),
    );
  });

  test("and nobody can change the bytes, or the value, of another", () => {
    const bytes = serializer.serialize(undefined);
    bytes.fill(0);
    expect(survive(undefined)).toBeUndefined();
    const original = { at: new Date(5), data: new Uint8Array([1, 2]) };
    const written = serializer.serialize(original);
    original.at.setTime(6);
    original.data.fill(9);
    expect(serializer.deserialize(written)).toEqual({ at: new Date(5), data: new Uint8Array([1, 2]) });
  });

  test("bytes have memory of their own", () => {
    const { one, two } = survive({ one: new Uint8Array(4), two: Buffer.from([1, 2, 3]) }) as Record<string, Uint8Array>;
    expect([one?.buffer.byteLength, two?.buffer.byteLength]).toEqual([4, 3]);
    expect([one?.constructor, two?.constructor]).toEqual([Uint8Array, Buffer]);
  });

  test("in the middle of a larger buffer", () => {
    const bytes = serializer.serialize({ a: 1 });
    const larger = Buffer.concat([Buffer.from("xx"), bytes, Buffer.from("yy")]);
    expect(serializer.deserialize(new Uint8Array(larger.buffer, larger.byteOffset + 2, bytes.length))).toEqual({
      a: 1,
    });
  });

  test("an error, with its class, stack, code and causes, and no properties that can be listed but code", () => {
    const inner = Object.assign(new Error("inner"), { name: "CustomError" });
    const outer = Object.assign(new RangeError("outer", { cause: inner }), { code: "E_OUT", secret: { huge: 1 } });
    const read = survive(outer) as RangeError;
    expect(read).toBeInstanceOf(RangeError);
    expect(read).toMatchObject({ name: "RangeError", message: "outer", code: "E_OUT", stack: outer.stack });
    expect(read.cause).toMatchObject({ name: "CustomError", message: "inner", stack: inner.stack });
    expect(Object.keys(read)).toEqual(["code"]);
    const aborted = survive(AbortSignal.abort().reason) as Error;
    expect(aborted).toMatchObject({ name: "AbortError", code: 20 });
    expect(survive(new Error("x", { cause: undefined }))).toHaveProperty("cause", undefined);
    expect(survive(new Error("x"))).not.toHaveProperty("cause");
  });

  test("values of another realm", () => {
    const foreign = runInNewContext(
      'class Point { x = 1 }; ({ at: new Date(5), list: [1, undefined], map: new Map([[1, new Set([2])]]), error: new Error("far"), bytes: new Uint8Array([7]), point: new Point(), big: 5n })',
    );
    expect(survive(foreign)).toMatchObject({
      at: new Date(5),
      list: [1, undefined],
      map: new Map([[1, new Set([2])]]),
      error: { name: "Error", message: "far" },
      bytes: new Uint8Array([7]),
      point: { x: 1 },
      big: 5n,
    });
  });
});

describe("objects of classes", () => {
  class Money {
    #cents = 150;
    currency = "EUR";
    toJSON(): unknown {
      return { amount: this.#cents, at: new Date(7) };
    }
  }
  class Point {
    x = 1;
    #hidden = 2;
    y = { z: this.#hidden };
    get sum(): number {
      return this.x + 1;
    }
  }
  class Self {
    a = 1;
    toJSON(): this {
      return this;
    }
  }
  class Nothing {}

  test("with toJSON arrive as what that returns, with tags", () => {
    expect(survive({ m: new Money() })).toStrictEqual({ m: { amount: 150, at: new Date(7) } });
    expect(survive(new URL("http://a/b"))).toBe("http://a/b");
    expect(survive(new Self())).toStrictEqual({ a: 1 });
    expect(survive({ toJSON: (name: string) => `for ${name}` })).toBe("for ");
    expect(survive({ key: { toJSON: (name: string) => `for ${name}` } })).toEqual({ key: "for key" });
    expect(survive([{ toJSON: (name: string) => `for ${name}` }])).toEqual(["for 0"]);
    expect(survive({ toJSON: () => undefined })).toBeUndefined();
  });
  test("without arrive as their own enumerable properties", () => {
    expect(survive(new Point())).toStrictEqual({ x: 1, y: { z: 2 } });
    expect(survive([new Nothing()])).toStrictEqual([{}]);
    expect(survive(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
    expect(survive(Object.assign(Object.create({ inherited: 1 }), { own: 2 }))).toStrictEqual({ own: 2 });
    expect(survive({ [Symbol("s")]: 1, a: 2 })).toStrictEqual({ a: 2 });
    expect(survive([Object(1), Object("x"), Object(true), Object(5n)])).toStrictEqual([1, "x", true, 5n]);
  });
  test("a hole in a list arrives as undefined", () => {
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    expect(survive([1, , 3])).toStrictEqual([1, undefined, 3]);
  });
});

test("the content type is application/json", () => expect(serializer.contentType).toBe("application/json"));
