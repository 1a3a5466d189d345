import { testSerializer } from "@taskferry/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { msgpackSerializer } from "../src/index.ts";

testSerializer({
  name: "msgpack",
  create: () => msgpackSerializer(),
  kinds: ["undefined", "date", "map", "set", "bigint", "bytes", "error", "nonFinite", "negativeZero"],
});

describe("bytes of other writers", () => {
  const serializer = msgpackSerializer();
  const read = (hex: string) => serializer.deserialize(Buffer.from(hex, "hex"));

  test("integers of eight bytes are numbers", () => {
    expect([read("cf000001867a3bc000"), read("d3ffffffffffffff9c")]).toEqual([1_677_087_981_568, -100]);
  });

  test.each([
    ["a length that the bytes do not have", "dd00ffffff"],
    ["an extension", "c7010501"],
    ["a key that is no text", "8101c0"],
    ["an integer of more than 53 bits", "cf0020000000000000"],
    ["bytes behind the value", "c0c0"],
  ])("%s: refused", (_, hex) => {
    expect(() => read(hex)).toThrow(expect.objectContaining({ code: "NOT_DESERIALIZABLE" }));
  });
});

describe("the tags of the JSON serializer", () => {
  const serializer = msgpackSerializer();

  test("bytes over memory of their own, Buffers as Buffers", () => {
    const read = serializer.deserialize(serializer.serialize([Uint8Array.of(1), Buffer.from("b")])) as Uint8Array[];
    expect(read).toStrictEqual([Uint8Array.of(1), Buffer.from("b")]);
    expect(read.map(({ buffer }) => buffer.byteLength)).toEqual([1, 1]);
  });

  test("a text with half a surrogate pair is refused, with the path", () => {
    expect(() => serializer.serialize({ a: ["\ud800"] })).toThrow(
      expect.objectContaining({ code: "NOT_SERIALIZABLE", path: "$.a[0]" }),
    );
  });

  test("maps inside one another, as deep as allowed", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : new Map([["inner", nested(depth - 1)]]));
    expect(serializer.deserialize(serializer.serialize(nested(64)))).toStrictEqual(nested(64));
    expect(() => serializer.serialize(nested(65))).toThrow(expect.objectContaining({ code: "NOT_SERIALIZABLE" }));
  });

  test("any value of the kinds it carries survives", () => {
    // A key that could change prototypes is refused, see the suite.
    const key = fc.string().filter((name) => !["__proto__", "constructor"].includes(name));
    const kinds = { withBigInt: true, withDate: true, withMap: true, withSet: true, stringUnit: "grapheme" } as const;
    const bytes = fc.uint8Array();
    const values = fc.anything({
      ...kinds,
      key,
      maxDepth: 5,
      values: [fc.string(), fc.double(), fc.integer(), fc.bigInt(), fc.date(), bytes],
    });
    fc.assert(
      fc.property(values, (value) => {
        expect(serializer.deserialize(serializer.serialize(value))).toStrictEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });

  test("a plain value is smaller than as JSON", () => {
    const value = { id: 12_345, name: "resize", sizes: [320, 640, 1_280], ratio: 0.5, isLarge: true };
    expect(serializer.serialize(value).length).toBeLessThan(JSON.stringify(value).length);
  });
});
