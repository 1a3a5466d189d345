import { describe, expect, test } from "vitest";
import type { Sample } from "../src/plan.ts";
import { median, toTable } from "../src/table.ts";

const base = { count: 1_000, share: 0.5, cpuMilliseconds: 20, rssMegabytes: 100, serverCpuMilliseconds: 10 };

describe("the table", () => {
  test.each([
    [[3, 1, 2], 2],
    [[5], 5],
    [[1, 100, 2], 2],
  ])("the median of %j is %d", (values, middle) => {
    expect(median(values)).toBe(middle);
  });

  test("a row holds the median of what was measured, the range, and the ratio to the raw client of the same run", () => {
    const samples: Sample[] = [
      ...[50, 100, 200].map((milliseconds) => ({
        ...base,
        subject: "raw ioredis",
        phase: "process" as const,
        milliseconds,
      })),
      ...[200, 200, 250].map((milliseconds) => ({
        ...base,
        subject: "BullMQ",
        phase: "process" as const,
        milliseconds,
      })),
    ];
    const [, , raw, bullmq] = toTable(samples).split("\n");
    expect(raw).toBe("| process | raw ioredis | 5,000/s | 2,500–10,000 | 1.00 | 4.00 | 1.00 | 100 |");
    expect(bullmq).toContain("| 2,500/s | 2,000–2,500 | 0.50 |");
  });

  test("round trips are told as latencies", () => {
    const latencies = Array.from({ length: 100 }, (_, index) => index / 10);
    const table = toTable([{ ...base, subject: "raw ioredis", phase: "roundTrip", milliseconds: 1, latencies }]);
    expect(table).toContain("| 5.00 ms (p99 9.90) |");
  });
});
