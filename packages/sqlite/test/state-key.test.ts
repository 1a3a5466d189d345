import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeKey, encodeKey, keyRange } from "../src/state-key.ts";

/** Segments that are hard to keep apart: with zeros, halves of surrogate pairs, and shared beginnings. */
const segment = fc.oneof(
  fc.string({
    unit: fc.constantFrom("a", "b", "\0", "\u0001", "ÿ", "þ", "\uD83D", "\uDE00", "🚢"),
    minLength: 1,
    maxLength: 4,
  }),
  fc.string({ unit: "binary", minLength: 1 }),
);
const key = fc.array(segment, { minLength: 1, maxLength: 4 });

function isWithin(bytes: Uint8Array, { from, to }: ReturnType<typeof keyRange>): boolean {
  return Buffer.compare(bytes, from) >= 0 && Buffer.compare(bytes, to) < 0;
}

test("a key can be read back", () => {
  const check = (segments: string[]): void => expect(decodeKey(encodeKey(segments))).toEqual(segments);
  fc.assert(fc.property(key, (segments) => void check(segments)));
});

test("no two keys have the same bytes", () => {
  const differ = (one: string[], other: string[]): boolean => JSON.stringify(one) !== JSON.stringify(other);
  fc.assert(
    fc.property(key, key, (one, other) => {
      fc.pre(differ(one, other));
      expect(Buffer.compare(encodeKey(one), encodeKey(other))).not.toBe(0);
    }),
  );
});

test("the range of a prefix holds the keys that begin with all its segments, and no others", () => {
  fc.assert(
    fc.property(fc.array(segment, { maxLength: 2 }), key, (prefix, segments) => {
      const begins = prefix.every((part, index) => segments[index] === part);
      expect(isWithin(encodeKey(segments), keyRange(prefix))).toBe(begins);
      expect(isWithin(encodeKey([...prefix, ...segments]), keyRange(prefix))).toBe(true);
    }),
  );
});

test("keys are ordered segment by segment", () => {
  const sorted = [["a"], ["a", "a"], ["a", "b"], ["a", "z", "a"], ["a b"], ["ab"], ["b"], ["é"], ["日本"], ["🚢"]];
  const bytes = sorted.map(encodeKey);
  expect([...bytes].sort(Buffer.compare)).toEqual(bytes);
});
