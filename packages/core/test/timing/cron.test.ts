import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCron } from "../../src/timing/cron.ts";

const at = (text: string): number => Date.parse(`${text}Z`);

/** The first `count` instants after `from`, as UTC texts. */
function instants(cron: string, timeZone: string, { from, count }: { from: string; count: number }): readonly string[] {
  const next = readCron(cron, timeZone, "test");
  const found: string[] = [];
  for (let instant = next(at(from)); instant !== undefined && found.length < count; instant = next(instant))
    found.push(new Date(instant).toISOString().slice(5, 16));
  return found;
}

describe("clocks that are put forward: a wall time that they skip fires once, at the shift", () => {
  test.each([
    // Berlin, 29 March 2026: 02:00 to 03:00 is skipped at 01:00 UTC.
    ["Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:30"]],
    ["Europe/Berlin", "*/30 2 * * *", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T00:30"]],
    ["Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00", ["03-29T01:00", "03-30T00:00", "03-30T01:00"]],
    ["Europe/Berlin", "0 */2 * * *", "2026-03-28T22:30", ["03-28T23:00", "03-29T01:00", "03-29T02:00"]],
    ["Europe/Berlin", "0 3 * * *", "2026-03-28T12:00", ["03-29T01:00", "03-30T01:00"]],
    ["Europe/Berlin", "30 2 29 3 *", "2026-01-01T00:00", ["03-29T01:00", "03-29T00:30"]],
    ["Europe/Berlin", "30 1 * * *", "2026-03-28T12:00", ["03-29T00:30", "03-29T23:30"]],
    // New York, 8 March 2026: 02:00 to 03:00 is skipped at 07:00 UTC.
    ["America/New_York", "30 2 * * *", "2026-03-07T12:00", ["03-08T07:00", "03-09T06:30"]],
    ["America/New_York", "15,45 2 * * *", "2026-03-07T12:00", ["03-08T07:00", "03-09T06:15", "03-09T06:45"]],
    // Lord Howe, 4 October 2026: half an hour from 02:00 is skipped at 15:30 UTC of the day before.
    ["Australia/Lord_Howe", "10 2 * * *", "2026-10-03T12:00", ["10-03T15:30", "10-04T15:10"]],
    // Cairo, 24 April 2026: midnight itself is skipped.
    ["Africa/Cairo", "0 0 * * *", "2026-04-22T12:00", ["04-22T22:00", "04-23T22:00", "04-24T21:00"]],
  ])("%s %s", (zone, cron, ...[from, expected]) => {
    expect(instants(cron, zone, { from, count: expected.length })).toEqual(expected);
  });
});

describe("clocks that are put back: a wall time that they show twice fires once, the first time", () => {
  test.each([
    // Berlin, 25 October 2026: 02:00 to 03:00 comes again at 01:00 UTC.
    ["Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30"]],
    ["Europe/Berlin", "*/30 2 * * *", "2026-10-24T12:00", ["10-25T00:00", "10-25T00:30", "10-26T01:00"]],
    ["Europe/Berlin", "0 2,3 * * *", "2026-10-24T12:00", ["10-25T00:00", "10-25T02:00", "10-26T01:00"]],
    ["Europe/Berlin", "0 */2 * * *", "2026-10-24T21:00", ["10-24T22:00", "10-25T00:00", "10-25T03:00"]],
    ["Europe/Berlin", "0 0 2 * * *", "2026-10-25T01:10", ["10-26T01:00"]],
    // New York, 1 November 2026: 01:00 to 02:00 comes again at 06:00 UTC.
    ["America/New_York", "30 1 * * *", "2026-10-31T12:00", ["11-01T05:30", "11-02T06:30"]],
    [
      "America/New_York",
      "*/20 1 * * *",
      "2026-10-31T12:00",
      ["11-01T05:00", "11-01T05:20", "11-01T05:40", "11-02T06:00"],
    ],
    // Lord Howe, 5 April 2026: 01:30 to 02:00 comes again at 15:00 UTC of the day before.
    ["Australia/Lord_Howe", "*/30 1 * * *", "2026-04-04T12:00", ["04-04T14:00", "04-04T14:30", "04-05T14:30"]],
  ])("%s %s", (zone, cron, ...[from, expected]) => {
    expect(instants(cron, zone, { from, count: expected.length })).toEqual(expected);
  });
});

describe("an expression that leaves the hour open goes by elapsed time", () => {
  test.each([
    ["Europe/Berlin", "0 * * * *", "2026-03-28T23:30", ["03-29T00:00", "03-29T01:00", "03-29T02:00"]],
    ["Europe/Berlin", "0 * * * *", "2026-10-24T23:30", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]],
    ["Europe/Berlin", "@hourly", "2026-10-24T23:30", ["10-25T00:00", "10-25T01:00", "10-25T02:00"]],
    ["Europe/Berlin", "15 * * * *", "2026-03-28T23:30", ["03-29T00:15", "03-29T01:15", "03-29T02:15"]],
    ["America/New_York", "30 * * * *", "2026-11-01T04:45", ["11-01T05:30", "11-01T06:30", "11-01T07:30"]],
    [
      "Australia/Lord_Howe",
      "45 * * * *",
      "2026-04-04T13:30",
      ["04-04T13:45", "04-04T14:45", "04-04T15:15", "04-04T16:15"],
    ],
  ])("%s %s from %s", (zone, cron, ...[from, expected]) => {
    expect(instants(cron, zone, { from, count: expected.length })).toEqual(expected);
  });
});

describe("expressions", () => {
  test("with seconds, weekdays by name and the last day of the month", () => {
    expect(instants("*/20 * * * * *", "UTC", { from: "2026-01-01T00:00", count: 4 })).toEqual([
      "01-01T00:00",
      "01-01T00:00",
      "01-01T00:01",
      "01-01T00:01",
    ]);
    expect(instants("0 9 * * MON-FRI", "UTC", { from: "2026-01-02T10:00", count: 1 })).toEqual(["01-05T09:00"]);
    expect(instants("0 0 L * *", "UTC", { from: "2026-02-10T10:00", count: 1 })).toEqual(["02-28T00:00"]);
  });

  test("that never match again have no next time", () => {
    expect(instants("0 0 31 2 *", "Europe/Berlin", { from: "2026-01-01T00:00", count: 1 })).toEqual([]);
  });

  test.each(["60 * * * *", "H * * * *", "", "tomorrow", "* * *"])("%j is refused", (cron) => {
    expect(() => readCron(cron, "UTC", "schedule x")).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: expect.stringMatching(/^schedule x, cron: expected/),
      }),
    );
  });

  test("a zone that does not exist is refused", () => {
    expect(() => readCron("* * * * *", "Mars/Olympus", "schedule x")).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/timeZone/) }),
    );
  });
});

const zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"];
const minute = 60_000;

/** What a patient reader of a wall clock would do: look at every minute. */
function byPatience(cron: { minute: number; hour: number | undefined }, timeZone: string, from: number): number {
  const wall = new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short", timeStyle: "short" });
  const seen = new Set<string>();
  const show = (instant: number): string => wall.format(instant);
  const wanted = ({ minute: m, hour }: typeof cron, text: string): boolean =>
    Number(text.slice(-2)) === m && (hour === undefined || Number(text.slice(-5, -3)) === hour);
  for (let instant = from - 180 * minute; instant <= from; instant += minute) seen.add(show(instant));
  for (let instant = from + minute; ; instant += minute) {
    const text = show(instant);
    if (wanted(cron, text) && (cron.hour === undefined || !seen.has(text))) return instant;
    if (
      cron.hour !== undefined &&
      isSkipped(cron as { minute: number; hour: number }, { before: show(instant - minute), text })
    )
      return instant;
    seen.add(text);
  }
}

/** Whether the clocks were put forward over that wall time between two looks that are a minute apart. */
function isSkipped(
  { minute: m, hour }: { minute: number; hour: number },
  { before, text }: { before: string; text: string },
): boolean {
  const of = (shown: string): number => Number(shown.slice(-5, -3)) * 60 + Number(shown.slice(-2));
  const [last, now] = [of(before), of(text)];
  const passed = (now - last + 1_440) % 1_440;
  if (passed <= 1 || passed > 180) return false;
  const target = (hour * 60 + m - last + 1_440) % 1_440;
  return target > 0 && target < passed;
}

test("the next time is what a patient reader of the wall clock finds", () => {
  const shifts = [
    "2026-03-29T01:00",
    "2026-10-25T01:00",
    "2026-03-08T07:00",
    "2026-11-01T06:00",
    "2026-04-04T15:00",
    "2026-10-03T15:30",
    "2026-02-15T02:00",
    "2026-03-22T02:00",
  ];
  fc.assert(
    fc.property(
      fc.record({
        zone: fc.constantFrom(...zones),
        shift: fc.constantFrom(...shifts),
        minutes: fc.integer({ min: -300, max: 300 }),
        minute: fc.integer({ min: 0, max: 59 }),
        hour: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
      }),
      ({ zone, shift, minutes, ...cron }) => {
        const from = at(shift) + minutes * minute;
        const next = readCron(`${cron.minute} ${cron.hour ?? "*"} * * *`, zone, "test")(from);
        expect(new Date(next ?? 0).toISOString()).toBe(new Date(byPatience(cron, zone, from)).toISOString());
      },
    ),
    { numRuns: 300 },
  );
});
