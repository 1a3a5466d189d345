import fc from "fast-check";
import { expect, test } from "vitest";
import { TurnoverMap, TurnoverSet } from "../src/turnover.ts";

type Step = readonly ["set" | "delete" | "clear", key: number, value: number];

const steps = fc.array(
  fc.tuple(
    fc.constantFrom<Step[0][]>("set", "set", "set", "delete", "delete", "delete", "delete"),
    fc.nat(40),
    fc.nat(),
  ) as fc.Arbitrary<Step>,
  { minLength: 2_000, maxLength: 4_000 },
);

test("a turnover map holds what a map holds, however often its table is made anew", () => {
  fc.assert(
    fc.property(steps, fc.nat(3_000), (all, cleared) => {
      const mine = new TurnoverMap<number, number>();
      const reference = new Map<number, number>();
      all.forEach(([kind, key, value], index) => {
        if (index === cleared) {
          mine.clear();
          reference.clear();
        }
        if (kind === "set") {
          mine.set(key, value);
          reference.set(key, value);
        } else {
          expect(mine.delete(key)).toBe(reference.delete(key));
        }
        expect(mine.get(key)).toBe(reference.get(key));
        expect(mine.has(key)).toBe(reference.has(key));
      });
      expect([...mine]).toEqual([...reference]);
      expect([...mine.keys()]).toEqual([...reference.keys()]);
      expect([...mine.values()]).toEqual([...reference.values()]);
      expect(mine.size).toBe(reference.size);
    }),
    { numRuns: 10 },
  );
});

test("a turnover set holds what a set holds, however often its table is made anew", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const mine = new TurnoverSet<number>();
      const reference = new Set<number>();
      for (const [kind, key] of all) {
        if (kind === "set") {
          mine.add(key);
          reference.add(key);
        } else {
          expect(mine.delete(key)).toBe(reference.delete(key));
        }
        expect(mine.has(key)).toBe(reference.has(key));
      }
      expect([...mine]).toEqual([...reference]);
      expect(mine.size).toBe(reference.size);
      mine.clear();
      expect([...mine]).toEqual([]);
    }),
    { numRuns: 10 },
  );
});
