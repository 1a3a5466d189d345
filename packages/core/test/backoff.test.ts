import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoff } from "../src/worker/backoff.ts";

describe("backoff", () => {
  test.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [8, 60_000],
    [1_000, 60_000],
  ])("retry %i waits at most %i ms", (retry, most) => {
    expect(backoff(retry, { from: 1_000, to: 60_000 }, () => 1)).toBe(most);
    expect(backoff(retry, { from: 1_000, to: 60_000 }, () => 0)).toBe(0);
  });

  test("it stays within 0 and the cap for any number of retries", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.nat(100_000), fc.nat(10_000_000), (retry, from, extra) => {
        const delay = backoff(retry, { from, to: from + extra });
        expect(Number.isInteger(delay) && delay >= 0 && delay <= from + extra).toBe(true);
      }),
    );
  });
});
