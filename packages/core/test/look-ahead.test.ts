import { describe, expect, test } from "vitest";
import { createLookAhead, maxLookAhead } from "../src/worker/look-ahead.ts";

function clock(): { now: () => number; pass: (milliseconds: number) => void } {
  let time = 0;
  return { now: () => time, pass: (milliseconds) => (time += milliseconds) };
}

describe("look-ahead", () => {
  test("nothing is looked ahead before anything ended", () => {
    expect(createLookAhead(() => 0).current()).toBe(0);
  });

  test("tasks of seconds are not looked ahead, tasks of microseconds by the hundred", () => {
    const time = clock();
    const lookAhead = createLookAhead(time.now);
    for (let second = 0; second < 5; second += 1) {
      lookAhead.count();
      time.pass(1_000);
    }
    expect(lookAhead.current()).toBe(0);
    for (let index = 0; index < 10_000; index += 1) lookAhead.count();
    time.pass(100);
    expect(lookAhead.current()).toBe(maxLookAhead);
  });

  test("it holds no more than starts within 50 ms at the rate of late", () => {
    const time = clock();
    const lookAhead = createLookAhead(time.now);
    for (let index = 0; index < 200; index += 1) lookAhead.count();
    time.pass(100);
    expect(lookAhead.current()).toBe(100);
  });

  test("it falls when tasks become slow", () => {
    const time = clock();
    const lookAhead = createLookAhead(time.now);
    for (let index = 0; index < 1_000; index += 1) lookAhead.count();
    time.pass(50);
    expect(lookAhead.current()).toBeGreaterThan(0);
    for (let sample = 0; sample < 12; sample += 1) {
      time.pass(50);
      lookAhead.current();
    }
    expect(lookAhead.current()).toBe(0);
  });
});
