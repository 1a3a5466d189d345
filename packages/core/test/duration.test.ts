import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTaskferryError, parseDuration } from "../src/index.ts";

describe("parseDuration reads", () => {
  test.each([
    [0, 0],
    [1500, 1500],
    [0.6, 1],
    ["0ms", 0],
    ["500ms", 500],
    ["90s", 90_000],
    ["1.5s", 1500],
    ["2m", 120_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["1d5ms", 86_400_005],
    ["36500d", 100 * 365 * 86_400_000],
  ])("%j", (duration, milliseconds) => {
    expect(parseDuration(duration)).toBe(milliseconds);
  });

  test("whatever is written from days to milliseconds", () => {
    const part = fc.option(fc.nat(99), { nil: undefined });
    fc.assert(
      fc.property(fc.tuple(part, part, part, part, part), (parts) => {
        const text = ["d", "h", "m", "s", "ms"]
          .map((unit, index) => (parts[index] === undefined ? "" : `${parts[index]}${unit}`))
          .join("");
        fc.pre(text !== "");
        const [days = 0, hours = 0, minutes = 0, seconds = 0, rest = 0] = parts;
        const expected = ((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000 + rest;
        expect(parseDuration(text)).toBe(expected);
      }),
    );
  });
});

describe("parseDuration refuses", () => {
  test.each([
    ["", '""'],
    ["90", '"90"'],
    ["90 s", '"90 s"'],
    [" 90s", '" 90s"'],
    ["90S", '"90S"'],
    ["-1s", '"-1s"'],
    ["1s1s", '"1s1s"'],
    ["30m1h", '"30m1h"'],
    ["1.s", '"1.s"'],
    [".5s", '".5s"'],
    ["1e3s", '"1e3s"'],
    ["1w", '"1w"'],
    ["36501d", '"36501d"'],
    [-1, "-1"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [5n, "5n"],
    [null, "null"],
    [undefined, "undefined"],
    [{}, "{}"],
  ])("%o", (duration, shown) => {
    const error = catchError(() => parseDuration(duration as never, "delay"));
    expect(isTaskferryError(error, "DURATION_INVALID")).toBe(true);
    expect((error as Error).message).toMatch(/^delay: expected .* or a string such as "90s"/);
    expect((error as Error).message).toContain(`got ${shown}.`);
  });

  test("a long text in linear time, and shows little of it", () => {
    const error = catchError(() => parseDuration("1".repeat(1_000_000)));
    expect((error as Error).message.length).toBeLessThan(300);
  });
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown.");
}
