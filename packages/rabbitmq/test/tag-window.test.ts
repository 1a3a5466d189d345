import { expect, test } from "vitest";
import { TagWindow } from "../src/consume/tag-window.ts";

/** Numbers below 1 that look random and are the same each time. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state / 0x7fff_ffff;
  };
}

test.each([1, 2, 3])("a window of tags holds what a map would, in whatever order it empties (%i)", (seed) => {
  const roll = createDice(seed);
  const window = new TagWindow<string>();
  const reference = new Map<number, string>();
  let next = 1;
  for (let step = 0; step < 20_000; step += 1) {
    const kind = roll();
    const any = next - Math.floor(roll() * 3_000);
    if (step === 9_000) {
      window.clear();
      reference.clear();
    }
    if (kind < 0.5) {
      window.add(next, `item ${next}`);
      reference.set(next, `item ${next}`);
      next += kind < 0.01 ? 3 : 1;
    } else {
      // Mostly the oldest, sometimes another, or one that is gone.
      const tag = kind < 0.9 ? (reference.keys().next().value ?? 0) : any;
      window.delete(tag);
      reference.delete(tag);
    }
    expect(window.get(any)).toBe(reference.get(any));
    expect(window.oldest).toBe(reference.values().next().value);
  }
});
