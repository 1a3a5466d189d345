import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Entry, Slots } from "../../src/worker/isolate/slots.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const begun: (readonly [run: number, waited: number])[] = [];
  const aged: number[] = [];
  const slots = new Slots((run) => void aged.push(run));
  const entry = (run: number, queue = "q"): Entry => ({
    ...{ run, queue, slots: 2 },
    begin: (waited) => void begun.push([run, waited]),
  });
  return { slots, begun, aged, entry };
}

test("so many begin as a queue has slots, the rest in order as slots are left", () => {
  const { slots, begun, entry } = setUp();
  for (const run of [1, 2, 3, 4]) slots.enter(entry(run));
  slots.enter(entry(5, "other"));
  expect(begun.map(([run]) => run)).toEqual([1, 2, 5]);
  vi.advanceTimersByTime(40);
  slots.leave("q");
  slots.leave("q");
  expect(begun.slice(3)).toEqual([
    [3, 40],
    [4, 40],
  ]);
});

test("what waits too long waits no more", () => {
  const { slots, begun, aged, entry } = setUp();
  for (const run of [1, 2, 3]) slots.enter(entry(run));
  vi.advanceTimersByTime(80);
  slots.enter(entry(4));
  vi.advanceTimersByTime(70);
  expect(aged).toEqual([3]);
  slots.leave("q");
  expect(begun.map(([run]) => run)).toEqual([1, 2, 4]);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(50);
  expect(vi.getTimerCount()).toBe(0);
});

test("what is withdrawn or taken out never begins", () => {
  const { slots, begun, entry } = setUp();
  for (const run of [1, 2, 3, 4, 5]) slots.enter(entry(run));
  expect([slots.withdraw(4), slots.withdraw(4), slots.withdraw(1)]).toEqual([true, false, false]);
  expect(slots.empty()).toEqual([3, 5]);
  slots.leave("q");
  slots.leave("q");
  expect(begun.map(([run]) => run)).toEqual([1, 2]);
});

test("only what waits in one queue is taken out, when that is asked for", () => {
  const { slots, begun, entry } = setUp();
  for (const run of [1, 2, 3]) slots.enter(entry(run));
  for (const run of [4, 5, 6]) slots.enter(entry(run, "other"));
  expect(slots.empty("q")).toEqual([3]);
  slots.leave("q");
  slots.leave("other");
  expect(begun.map(([run]) => run)).toEqual([1, 2, 4, 5, 6]);
});
