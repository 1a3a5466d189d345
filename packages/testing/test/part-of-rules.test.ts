import { expect, test } from "vitest";
import { partOfRules } from "../src/suites/part-of-rules.ts";
import type { Topic } from "../src/suites/rulebook.ts";

const rulesOf = (topic: string, count: number): Topic<unknown, never> => ({
  name: topic,
  rules: Array.from({ length: count }, (_, index) => ({ name: `${topic} ${index}`, check: async () => undefined })),
});
const topics = [rulesOf("a", 3), rulesOf("b", 1), rulesOf("c", 4)];
const namesOf = (all: readonly Topic<unknown, never>[]) => all.flatMap(({ rules }) => rules.map(({ name }) => name));

test.each([1, 2, 3, 8])("%i parts have all rules between them, each once", (of) => {
  const parts = Array.from({ length: of }, (_, index) => namesOf(partOfRules(topics, { number: index + 1, of })));
  expect(parts.flat().sort()).toEqual(namesOf(topics).sort());
  expect(Math.max(...parts.map(({ length }) => length)) - Math.min(...parts.map(({ length }) => length))).toBeLessThan(
    2,
  );
});

test("without a part all rules run", () => {
  expect(namesOf(partOfRules(topics, undefined))).toEqual(namesOf(topics));
});

test.each([
  { number: 0, of: 2 },
  { number: 3, of: 2 },
  { number: 1.5, of: 2 },
])("%o is refused", (part) => {
  expect(() => partOfRules(topics, part)).toThrow(/part: expected a number from 1 to 2/);
});
