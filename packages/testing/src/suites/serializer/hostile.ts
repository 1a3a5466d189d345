import { isTaskferryError } from "@taskferry/core";
import fc from "fast-check";
import { expect } from "vitest";
import { expectPristine, type SerializerScene, type SerializerTopic } from "./serializer-scene.ts";

export const refusalTopic: SerializerTopic = {
  name: "refusal",
  rules: [
    { name: "functions, symbols and promises are NOT_SERIALIZABLE, with the path", check: refusesCode },
    { name: "a cycle is NOT_SERIALIZABLE, with the path", check: refusesCycles },
    { name: "nesting 100,000 deep is NOT_SERIALIZABLE, not a crash", check: refusesDepth },
    { name: "a getter or toJSON that throws is NOT_SERIALIZABLE, with its cause", check: refusesThrowing },
    { name: "what it writes it reads, at every depth", check: readsWhatItWrites },
    { name: "the value is not changed, and may be frozen", check: leavesValue },
    { name: "the bytes stay as they are when the value is changed afterwards", check: bytesStay },
  ],
};

export const hostileTopic: SerializerTopic = {
  name: "hostile bytes",
  rules: [
    { name: "truncated anywhere: refused with NOT_DESERIALIZABLE, or read", check: truncated },
    { name: "one byte changed anywhere: refused with NOT_DESERIALIZABLE, or read", check: corrupted },
    { name: "random bytes: refused with NOT_DESERIALIZABLE, or read", check: randomBytes },
    { name: "no bytes at all are refused with NOT_DESERIALIZABLE", check: noBytes },
    { name: "__proto__ and constructor.prototype set no prototype", check: prototypes },
    { name: "nested 10,000 and 1,000,000 deep: refused, not a crash", check: nestedDeep },
  ],
};

/** Expects a value to be refused, and the path to lead through these steps. */
function expectRefused(scene: SerializerScene, value: unknown, steps: readonly (string | number)[]): Error {
  try {
    scene.serializer.serialize(value);
  } catch (error) {
    if (!isTaskferryError(error, "NOT_SERIALIZABLE")) throw error;
    const path = (error as typeof error & { readonly path?: unknown }).path;
    expect(path, "path").toMatch(new RegExp(`^\\$${steps.map((step) => `\\W*${step}`).join("")}\\W*$`));
    return error;
  }
  throw new Error("Expected NOT_SERIALIZABLE.");
}

async function refusesCode(scene: SerializerScene): Promise<void> {
  const parts = [() => 1, async () => 1, class Thing {}, Symbol("s"), Promise.resolve(1), new WeakMap()];
  for (const part of parts) {
    expectRefused(scene, part, []);
    expectRefused(scene, { a: [1, { b: part }] }, ["a", 1, "b"]);
    expectRefused(scene, [[part]], [0, 0]);
  }
}

async function refusesCycles(scene: SerializerScene): Promise<void> {
  const self: Record<string, unknown> = { name: "self" };
  self["me"] = self;
  expectRefused(scene, self, ["me"]);
  const [outer, inner]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  outer["list"] = [1, inner];
  inner["back"] = outer;
  expectRefused(scene, { top: outer }, ["top", "list", 1, "back"]);
}

function nested(depth: number): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

async function refusesDepth(scene: SerializerScene): Promise<void> {
  const value = nested(100_000);
  const trip = scene.roundTrip(value);
  expect("refusal" in trip, "refused").toBe(true);
}

async function refusesThrowing(scene: SerializerScene): Promise<void> {
  const cause = new Error("thrown on purpose");
  const throwing = {
    get bad(): unknown {
      throw cause;
    },
  };
  const converting = {
    toJSON: () => {
      throw cause;
    },
  };
  // The path leads to the object, or to the property where a getter is one.
  expect(expectRefused(scene, { a: throwing }, ["a", "(bad)?"]).cause).toBe(cause);
  if (converts(scene)) expect(expectRefused(scene, { a: [converting] }, ["a", 0]).cause).toBe(cause);
}

/** Whether the serializer calls `toJSON`, which no contract asks of it. */
function converts(scene: SerializerScene): boolean {
  const trip = scene.roundTrip({ toJSON: () => "converted" });
  return "value" in trip && trip.value === "converted";
}

async function readsWhatItWrites(scene: SerializerScene): Promise<void> {
  for (const depth of [1, 2, 4, 8, 16, 32, 63, 64, 65, 100, 127, 128, 255, 500, 1_000, 2_000, 5_000]) {
    const value = nested(depth);
    const trip = scene.roundTrip(value);
    if ("value" in trip) scene.expectSame(JSON.stringify(trip.value), JSON.stringify(value));
    else expect(depth, "the depth that is refused").toBeGreaterThan(32);
  }
}

async function leavesValue(scene: SerializerScene): Promise<void> {
  const value = { list: [1, { a: "b" }], text: "é", ...(scene.kinds.includes("date") && { at: new Date(5) }) };
  const before = structuredClone(value);
  scene.serializer.serialize(value);
  expect(value).toStrictEqual(before);
  Object.freeze(value.list[1]);
  Object.freeze(value.list);
  Object.freeze(value);
  scene.expectCarried(value);
}

async function bytesStay(scene: SerializerScene): Promise<void> {
  const raw = Uint8Array.from([1, 2, 3]);
  const value = { list: [1, 2], text: "before", ...(scene.kinds.includes("bytes") && { raw }) };
  const expected = structuredClone(value);
  const bytes = scene.serializer.serialize(value);
  value.list.push(3);
  value.text = "after";
  raw.fill(0);
  scene.serializer.serialize({ other: "x".repeat(1_000) });
  scene.expectSame(scene.serializer.deserialize(bytes), expected);
}

/** A value with every kind that the serializer declares, as bytes. */
function sample(scene: SerializerScene): Uint8Array {
  const rich = {
    undefined: undefined,
    date: new Date(5),
    map: new Map([["k", [1]]]),
    set: new Set(["m"]),
    bigint: 12345678901234567890n,
    bytes: Uint8Array.from([0, 255]),
    error: new TypeError("message"),
    nonFinite: Number.NaN,
    negativeZero: -0,
  };
  const declared = Object.fromEntries(scene.kinds.map((kind) => [kind, rich[kind]]));
  return scene.serializer.serialize({ plain: [1, "é", null, { a: true }], ...declared });
}

async function truncated(scene: SerializerScene): Promise<void> {
  const bytes = sample(scene);
  for (let length = 0; length < bytes.length; length += 1) scene.readOrRefuse(bytes.subarray(0, length));
}

async function corrupted(scene: SerializerScene): Promise<void> {
  const bytes = sample(scene);
  for (let place = 0; place < bytes.length; place += 1) {
    for (const byte of [0x00, 0x22, 0x7b, 0x80, 0xff]) {
      const changed = Uint8Array.from(bytes);
      changed[place] = byte;
      scene.readOrRefuse(changed);
    }
  }
}

async function randomBytes(scene: SerializerScene): Promise<void> {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      scene.readOrRefuse(bytes);
    }),
    { numRuns: 1_000 },
  );
}

async function noBytes(scene: SerializerScene): Promise<void> {
  expect(scene.readOrRefuse(new Uint8Array()), "what no bytes were read as").toBeUndefined();
}

async function prototypes(scene: SerializerScene): Promise<void> {
  const texts = [
    '{"__proto__":{"polluted":true}}',
    '{"a":{"__proto__":{"polluted":true}}}',
    '[{"__proto__":{"polluted":true,"__proto__":{"isAdmin":true}}}]',
    '{"constructor":{"prototype":{"polluted":true}}}',
    '{"a":{"constructor":{"prototype":{"polluted":true}}}}',
    '{"\\u005f_proto__":{"polluted":true}}',
    '{"__proto__":null}',
    '{"__proto__":[]}',
  ];
  for (const text of texts) {
    const read = scene.readOrRefuse(Buffer.from(text));
    if (read !== undefined) expectOrdinary(read.value);
  }
  // Written by this serializer itself: such a key is refused, or carried as data.
  const own = JSON.parse('{"__proto__":{"polluted":true},"kept":1}') as unknown;
  const trip = scene.roundTrip(own);
  if ("value" in trip) expectOrdinary(trip.value);
  expectPristine();
}

/** Expects that no object in a value got its prototype from the bytes. */
function expectOrdinary(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const prototype: unknown = Object.getPrototypeOf(value);
  const ordinary = [Object.prototype, Array.prototype, Map.prototype, Set.prototype, null];
  expect(ordinary.includes(prototype as object | null), "a prototype that is not the language's own").toBe(true);
  expect((value as { readonly polluted?: unknown }).polluted, "polluted").toBeUndefined();
  for (const key of Object.keys(value)) expectOrdinary((value as Record<string, unknown>)[key]);
}

async function nestedDeep(scene: SerializerScene): Promise<void> {
  for (const depth of [10_000, 1_000_000]) {
    const texts = [
      `${"[".repeat(depth)}${"]".repeat(depth)}`,
      `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`,
      "[".repeat(depth),
    ];
    for (const text of texts) {
      expect(scene.readOrRefuse(Buffer.from(text)), `what is nested ${depth} deep was read as`).toBeUndefined();
    }
    // Lists of one item, as formats of bytes write them.
    scene.readOrRefuse(Buffer.alloc(depth, 0x91));
    scene.readOrRefuse(Buffer.alloc(depth, 0x81));
  }
}
