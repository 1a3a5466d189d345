import { expect, test } from "vitest";
import { createId, idOrigin, idTime, newestIdTime, ownOrigin } from "../src/id.ts";

test("ids are UUIDs of version 7, of now, and no two are alike", () => {
  const before = Date.now();
  const ids = Array.from({ length: 100_000 }, createId);
  const after = newestIdTime();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(idTime(id)).toBeGreaterThanOrEqual(before);
    expect(idTime(id)).toBeLessThanOrEqual(after);
  }
});

test("they sort by the millisecond in which they were made, and say from which process they are", () => {
  const times = Array.from({ length: 5_000 }, () => idTime(createId()) ?? 0);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(idOrigin(createId())).toBe(ownOrigin());
  expect(idOrigin("mine")).toBeUndefined();
  expect(idOrigin(`${createId()}:0`)).toBeUndefined();
  expect(idTime("mine")).toBeUndefined();
});
