import { expect, test } from "vitest";
import { ServerClock } from "../src/queue/server-clock.ts";

test("a time of the server is told by what was learnt, and never later than it was", () => {
  const clock = new ServerClock();
  // The server was asked at 1,000 and answered, at 1,005 at the latest, that it was 50,000.
  clock.learn(50_000, 1_000);
  expect(clock.at(52_000, { earliest: 1_006, latest: 3_010 })).toBe(2_999);
});

test("before anything was learnt, and whatever the server's clock did, it lies between what is certain", () => {
  const clock = new ServerClock();
  expect(clock.at(52_000, { earliest: 1_006, latest: 3_010 })).toBe(1_006);
  clock.learn(50_000, 1_000);
  expect(clock.at(900_000, { earliest: 1_006, latest: 3_010 })).toBe(3_010);
  expect(clock.at(10, { earliest: 1_006, latest: 3_010 })).toBe(1_006);
});
