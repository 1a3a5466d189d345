import fc from "fast-check";
import { expect } from "vitest";
import type { RichKind, SerializerScene, SerializerTopic } from "./serializer-scene.ts";

const richValues: Readonly<Record<RichKind, readonly unknown[]>> = {
  undefined: [undefined, [undefined], { a: undefined, b: 1 }, { a: { b: [1, undefined] } }],
  date: [new Date(0), new Date(1_700_000_000_123), new Date(-1), { at: [new Date(8_640_000_000_000_000)] }],
  map: [
    new Map(),
    new Map([["a", 1]]),
    new Map<unknown, unknown>([
      [{ k: 1 }, [2]],
      [3, new Map([["x", "y"]])],
    ]),
  ],
  set: [new Set(), new Set(["a", 1, null]), { all: new Set([[1], { a: new Set([2]) }]) }],
  bigint: [0n, -1n, 2n ** 64n, -(2n ** 200n), { n: [9_007_199_254_740_993n] }],
  bytes: [new Uint8Array(), Uint8Array.from([0, 10, 128, 255]), { raw: [Uint8Array.from([1])] }],
  error: [],
  nonFinite: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, { n: [Number.NaN] }],
  negativeZero: [-0, { n: [-0] }],
};

const plainValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1.5,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  "",
  "text",
  'quotes " and \\ and / and \u2028 and \0 and \n',
  "é e\u0301 日本 🚢 \u{10FFFF}",
  [],
  [[]],
  [1, "a", null, [true, { a: [] }]],
  {},
  { "": 1, " ": 2, é: 3, "a.b": 4, "0": 5, length: 6, toString: 7, hasOwnProperty: 8, valueOf: 9 },
  { nested: { deeply: { list: [{ a: 1 }, { b: { c: "d" } }] } } },
];

/** Keys and strings that a format may use as its own tags. */
const tagLike = [
  "$tf",
  "$type",
  "$date",
  "$",
  "@type",
  "__type",
  "__class__",
  "type",
  "value",
  "_isBuffer",
  "data",
  "toJSON",
];

export const roundTripTopic: SerializerTopic = {
  name: "round trip",
  rules: [
    {
      name: "plain values arrive as what they were",
      check: plainArrive,
    },
    { name: "any JSON value arrives as what it was", check: anyJson },
    { name: "objects that look like the format's own tags arrive as what they were", check: tagsAreSafe },
    { name: "a value that stands in several places, without a cycle, is carried", check: sharedParts },
    { name: "a string of 1 MiB and a list of 20,000 are carried", check: largeValues },
    ...(Object.keys(richValues) as RichKind[]).map((kind) => ({
      name: `${kind} arrives as what it was, where it is declared`,
      needs: [kind],
      check: async (scene: SerializerScene) => (kind === "error" ? errorsArrive(scene) : richArrive(scene, kind)),
    })),
    {
      name: "what is not declared is carried or refused with NOT_SERIALIZABLE, never changed in silence",
      check: carriedOrRefused,
    },
    {
      name: "any value of the declared kinds, mixed, is carried or refused, never changed in silence",
      check: anyMixture,
    },
    { name: "bytes out of the middle of a larger buffer are read", check: readsSlices },
  ],
};

async function plainArrive(scene: SerializerScene): Promise<void> {
  for (const value of plainValues) scene.expectCarried(value);
}

async function richArrive(scene: SerializerScene, kind: RichKind): Promise<void> {
  for (const value of richValues[kind]) scene.expectCarried(value);
}

async function errorsArrive(scene: SerializerScene): Promise<void> {
  const cause = new TypeError("the cause é");
  const trip = scene.roundTrip({ error: new Error("outer\nmessage", { cause }) });
  if ("refusal" in trip) throw trip.refusal;
  const { error } = trip.value as { readonly error: Error };
  expect(error).toBeInstanceOf(Error);
  expect([error.name, error.message]).toEqual(["Error", "outer\nmessage"]);
  expect(error.cause).toMatchObject({ name: "TypeError", message: "the cause é" });
}

async function anyJson(scene: SerializerScene): Promise<void> {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: "binary" }), (generated) => {
      const value: unknown = JSON.parse(JSON.stringify(generated));
      const trip = scene.roundTrip(value);
      if ("value" in trip) scene.expectSame(trip.value, value);
      // Keys that reach for a prototype may be refused, nothing else of plain JSON.
      else expect(JSON.stringify(value)).toMatch(/__proto__|prototype|constructor/);
    }),
    { numRuns: 300 },
  );
}

async function tagsAreSafe(scene: SerializerScene): Promise<void> {
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom<unknown>(...tagLike, "undefined", "Date", "Map", "NaN", 1, null),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...tagLike), tie("tree"), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => scene.expectCarried(value)),
    { numRuns: 300 },
  );
}

async function sharedParts(scene: SerializerScene): Promise<void> {
  const part = { a: [1, 2, 3] };
  scene.expectCarried({ first: part, second: [part, part], third: { part } });
}

async function largeValues(scene: SerializerScene): Promise<void> {
  scene.expectCarried("é\n🚢".repeat(200_000));
  scene.expectCarried(Array.from({ length: 20_000 }, (_, index) => ({ index, name: `item ${index}` })));
}

async function carriedOrRefused(scene: SerializerScene): Promise<void> {
  const undeclared = (Object.keys(richValues) as RichKind[]).filter((kind) => !scene.kinds.includes(kind));
  const values = undeclared.flatMap((kind) =>
    kind === "negativeZero" || kind === "undefined" ? [] : richValues[kind],
  );
  for (const value of [...values, Uint16Array.from([1, 2]), new Date(Number.NaN), new ArrayBuffer(2), /pattern/g]) {
    const trip = scene.roundTrip({ value });
    if ("value" in trip) scene.expectSame(trip.value, { value });
  }
}

async function anyMixture(scene: SerializerScene): Promise<void> {
  const has = (kind: RichKind) => scene.kinds.includes(kind);
  const values = fc.anything({
    withBigInt: has("bigint"),
    withDate: has("date"),
    withMap: has("map"),
    withSet: has("set"),
    withTypedArray: has("bytes"),
    maxDepth: 4,
  });
  fc.assert(
    fc.property(values, (value) => {
      const trip = scene.roundTrip(value);
      if ("value" in trip) scene.expectSame(withoutNegativeZero(scene, trip.value), withoutNegativeZero(scene, value));
    }),
    { numRuns: 300 },
  );
}

/** Plain JSON knows no -0; a serializer that does not declare it may write 0. */
function withoutNegativeZero(scene: SerializerScene, value: unknown): unknown {
  if (scene.kinds.includes("negativeZero")) return value;
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map((item) => withoutNegativeZero(scene, item));
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutNegativeZero(scene, part)]));
}

async function readsSlices(scene: SerializerScene): Promise<void> {
  const value = { a: [1, "é", { b: null }] };
  const bytes = scene.serializer.serialize(value);
  const larger = Buffer.concat([Buffer.from("before"), bytes, Buffer.from("after")]);
  scene.expectSame(scene.serializer.deserialize(larger.subarray(6, 6 + bytes.length)), value);
  scene.expectSame(scene.serializer.deserialize(Uint8Array.from(bytes)), value);
}
