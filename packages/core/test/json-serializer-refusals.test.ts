import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTaskferryError, jsonSerializer, SerializationError } from "../src/index.ts";

const serializer = jsonSerializer();
const survive = (value: unknown): unknown => serializer.deserialize(serializer.serialize(value));

describe("a writer refuses", () => {
  const cycle: Record<string, unknown> = { list: [0, 1] };
  (cycle.list as unknown[]).push({ again: cycle });
  const map = new Map<unknown, unknown>();
  map.set("a", new Set([map]));

  test.each<[string, unknown, string, RegExp]>([
    ["a function", { a: [1, { b: () => 1 }] }, "$.a[1].b", /a function/],
    ["a class", { a: Map }, "$.a", /a function/],
    ["a symbol", [Symbol("s")], "$[0]", /a symbol/],
    ["a cycle", cycle, "$.list[2].again", /a cycle/],
    ["a cycle through a Map and a Set", { map }, "$.map<value 0>[0]", /a cycle/],
    ["a function as the key of a Map", new Map([[() => 1, 1]]), "$<key 0>", /a function/],
    ["a function in the cause of an error", new Error("x", { cause: { f: () => 1 } }), "$.cause.f", /a function/],
    ["a promise", { a: Promise.resolve() }, "$.a", /a promise.*Await it/],
    ["floats", { a: new Float32Array(1) }, "$.a", /a Float32Array.*bytes/],
    ["an ArrayBuffer", { a: new ArrayBuffer(1) }, "$.a", /an? ArrayBuffer.*bytes/],
    ["a DataView", new DataView(new ArrayBuffer(1)), "$", /a DataView/],
    ["a RegExp", { a: /x/ }, "$.a", /a RegExp/],
    ["a WeakMap", new WeakMap(), "$", /a WeakMap, which would arrive empty/],
    ["a Blob", [new Blob(["x"])], "$[0]", /a Blob, which would arrive empty/],
    ["a URLSearchParams", { q: new URLSearchParams("a=1") }, "$.q", /URLSearchParams/],
    ["a generator", (function* () {})(), "$", /a Generator/],
    ["a property __proto__", JSON.parse('{"a":{"__proto__":1}}'), "$.a.__proto__", /prototypes/],
    ["a constructor that holds prototype", { constructor: { prototype: 1 } }, "$.constructor", /prototypes/],
    ["a bigint without end", { a: 10n ** 10_000n }, "$.a", /a bigint of more than 10000 digits/],
    ["a key that is no name, quoted", { "a b": [() => 1] }, '$["a b"][0]', /a function/],
  ])("%s, by its path", (_, bad, ...[path, message]) => {
    const error = refusal(() => serializer.serialize(bad));
    expect(error).toMatchObject({ code: "NOT_SERIALIZABLE", path });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
  });

  test("what is nested too deep, and not what is as deep as allowed", () => {
    for (const wrap of wrappers) {
      const fits = nest(wrap, 64);
      expect(survive(fits)).toStrictEqual(fits);
      expect(refusal(() => serializer.serialize(nest(wrap, 65)))).toMatchObject({ code: "NOT_SERIALIZABLE" });
      expect(refusal(() => serializer.serialize(nest(wrap, 10_000))).message).toContain("nested more than 64 deep");
    }
    const deeper = jsonSerializer({ maxDepth: 500 });
    for (const wrap of wrappers) {
      const fits = nest(wrap, 500);
      expect(deeper.deserialize(deeper.serialize(fits))).toBeDefined();
      expect(refusal(() => deeper.serialize(nest(wrap, 10_000))).code).toBe("NOT_SERIALIZABLE");
    }
  });

  test("nothing for being used twice in one value", () => {
    const shared = { a: 1n };
    expect(survive([shared, shared, { shared }])).toStrictEqual([{ a: 1n }, { a: 1n }, { shared: { a: 1n } }]);
  });
});

const wrappers: ReadonlyArray<(inner: unknown) => unknown> = [
  (inner) => [inner],
  (inner) => ({ a: inner }),
  (inner) => new Set([inner]),
  (inner) => new Map([["k", inner]]),
  (inner) => new Map([[inner, 1]]),
  (inner) => ({ $tf: inner }),
  (inner) => new Error("x", { cause: inner }),
];

function nest(wrap: (inner: unknown) => unknown, depth: number): unknown {
  let nested: unknown = 1;
  for (let count = 0; count < depth; count += 1) nested = wrap(nested);
  return nested;
}

describe("a reader refuses", () => {
  const deep = (opening: string, closing: string, depth: number): string =>
    opening.repeat(depth) + closing.repeat(depth);

  test.each<[string, string | Uint8Array, string]>([
    ["no bytes", "", "$"],
    ["bytes that are no JSON", "{a:1}", "$"],
    ["bytes after the value", "1 2", "$"],
    ["bytes that are no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "$"],
    ["a byte order mark", "\uFEFF1", "$"],
    ["__proto__", '{"a":[{"__proto__":{"polluted":1}}]}', "$.a[0].__proto__"],
    ["__proto__ with escapes", '{"\\u005f_proto__":{"polluted":1}}', "$.__proto__"],
    ["constructor that holds prototype", '{"constructor":{"prototype":{"polluted":1}}}', "$.constructor"],
    ["the same with escapes", '{"c\\u006fnstructor":{"\\u0070rototype":1}}', "$.constructor"],
    ["the same inside a tag", '{"constructor":{"$tf":["object",{"prototype":1,"$tf":1}]}}', "$.constructor"],
    ["__proto__ inside a tag", '{"$tf":["object",{"__proto__":1}]}', "$.__proto__"],
    [
      "__proto__ inside an Error",
      '{"$tf":["Error",{"name":"E","message":"m","cause":{"__proto__":1}}]}',
      "$.cause.__proto__",
    ],
    ["lists nested 10,000 deep", deep("[", "]", 10_000), "$[0][0]"],
    ["objects nested 10,000 deep", `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`, "$.a.a"],
    ["tags nested 10,000 deep", deep('{"$tf":["Set",[', "]]}", 10_000), "$[0][0]"],
    ["lists nested a million deep", deep("[", "]", 1_000_000), "$[0][0]"],
    ["an unknown tag", '{"a":{"$tf":["Temporal","x"]}}', "$.a"],
    ["a tag without a name", '{"$tf":[]}', "$"],
    ["a tag that is no list", '{"$tf":"Date"}', "$"],
    ["a tag beside other keys", '{"$tf":["Date",1],"b":2}', "$"],
    ["a tag with too many parts", '{"$tf":["Date",1,2]}', "$"],
    ["a tag with too few parts", '{"$tf":["Date"]}', "$"],
    ["undefined with a part", '{"$tf":["undefined",1]}', "$"],
    ["a Date that is text", '{"$tf":["Date","2020-01-01"]}', "$"],
    ["a Date beyond time", '{"$tf":["Date",9e15]}', "$"],
    ["a BigInt that is a number", '{"$tf":["BigInt",1]}', "$"],
    ["a BigInt in other digits", '{"$tf":["BigInt","0x10"]}', "$"],
    ["a BigInt without digits", '{"$tf":["BigInt",""]}', "$"],
    ["a BigInt without end", `{"$tf":["BigInt","${"9".repeat(10_002)}"]}`, "$"],
    ["another number", '{"$tf":["number","1"]}', "$"],
    ["bytes that are no base64", '{"$tf":["bytes","a$=="]}', "$"],
    ["bytes of half a length", '{"$tf":["bytes","aGk"]}', "$"],
    ["a Set that is an object", '{"$tf":["Set",{}]}', "$"],
    ["a Map that is an object", '{"$tf":["Map",{"a":1}]}', "$"],
    ["a Map with half a pair", '{"$tf":["Map",[["a"]]]}', "$"],
    ["an Error that is text", '{"$tf":["Error","boo"]}', "$"],
    ["an Error without a name", '{"$tf":["Error",{"message":"m"}]}', "$"],
    ["an escape of a list", '{"$tf":["object",[]]}', "$"],
    ["an escape of null", '{"$tf":["object",null]}', "$"],
  ])("%s", (_, bytes, path) => {
    const error = refusal(() => serializer.deserialize(Buffer.from(bytes as string)));
    expect(error.code).toBe("NOT_DESERIALIZABLE");
    expect(error.path.startsWith(path)).toBe(true);
    expect(error.message.length).toBeLessThan(1000);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("nothing that only looks like it", () => {
    const texts = [
      '{"text":"__proto__ and constructor and prototype, \\u0000, $tf"}',
      '{"prototype":{"constructor":1},"constructor":"x","constructors":{"prototype":1}}',
      '{"$tf2":["Date"],"a$tf":1}',
      `[${"[[1]],".repeat(200)}1]`,
      `{"brackets":"${"[{".repeat(200)}"}`,
      '"$tf"',
      '["$tf"]',
    ];
    for (const text of texts) expect(serializer.deserialize(Buffer.from(text))).toEqual(JSON.parse(text));
  });

  test("a tagged number that cannot even be made a text", () => {
    const bytes = Buffer.from('{"a":{"$tf":["number",{"toString":0,"valueOf":0}]}}');
    expect(refusal(() => serializer.deserialize(bytes))).toMatchObject({ code: "NOT_DESERIALIZABLE" });
  });

  test("whatever tags are made up, with an error of ours and nothing else", () => {
    const names = ["Date", "Map", "Set", "BigInt", "bytes", "Buffer", "Error", "undefined", "number", "object", "x"];
    const tag = fc
      .tuple(fc.constantFrom(...names), fc.jsonValue())
      .map(([name, inner]) => Buffer.from(JSON.stringify({ a: { $tf: [name, inner] } })));
    fc.assert(
      fc.property(tag, (bytes) => {
        try {
          serializer.deserialize(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "NOT_DESERIALIZABLE" });
          expect(isTaskferryError(error)).toBe(true);
        }
      }),
    );
  });
});

test.each([0, -1, 1.5, 501, Number.NaN, "64"])("maxDepth %o is refused", (maxDepth) => {
  expect(() => jsonSerializer({ maxDepth: maxDepth as number })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});

function refusal(action: () => unknown): SerializationError {
  try {
    action();
  } catch (error) {
    if (error instanceof SerializationError) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}
