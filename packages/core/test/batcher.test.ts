import { describe, expect, test } from "vitest";
import { createBatcher } from "../src/batcher.ts";

describe("batcher", () => {
  test("calls of one moment travel together, each with its own answer", async () => {
    const sizes: number[] = [];
    const batcher = createBatcher<number, number>({
      run: async (items) => {
        sizes.push(items.length);
        return items.map((item) => item * 2);
      },
      maxItems: 100,
      maxInFlight: 1,
    });
    const answers = await Promise.all(Array.from({ length: 250 }, (_, index) => batcher.add(index)));
    expect(answers).toEqual(Array.from({ length: 250 }, (_, index) => index * 2));
    expect(sizes).toEqual([100, 100, 50]);
  });

  test("while all batches are under way, items gather", async () => {
    const open: (() => void)[] = [];
    const sizes: number[] = [];
    const batcher = createBatcher<number, number>({
      run: (items) => {
        sizes.push(items.length);
        return new Promise((resolve) => open.push(() => resolve(items)));
      },
      maxItems: 100,
      maxInFlight: 1,
    });
    const first = batcher.add(0);
    await new Promise(setImmediate);
    const rest = Promise.all([1, 2, 3].map(batcher.add));
    open[0]?.();
    await first;
    await new Promise(setImmediate);
    open[1]?.();
    await rest;
    await batcher.drain();
    expect(sizes).toEqual([1, 3]);
  });

  test("a failed batch rejects its own items and no others", async () => {
    const batcher = createBatcher<number, number>({
      run: async (items) => {
        if (items.includes(1)) throw new Error("one");
        return items;
      },
      maxItems: 1,
      maxInFlight: 2,
    });
    const settled = await Promise.allSettled([0, 1, 2].map(batcher.add));
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    await batcher.drain();
  });

  test("a callback that throws keeps nobody else from being told", async () => {
    const batcher = createBatcher<number, number>({ run: async (items) => items, maxItems: 100, maxInFlight: 1 });
    const told: number[] = [];
    const caught: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => caught.push(error));
    const fault = new Error("a callback's");
    const throwing = (): never => {
      throw fault;
    };
    batcher.push(1, throwing, throwing);
    batcher.push(2, (answer) => told.push(answer), throwing);
    await batcher.drain();
    // Rejections are told once the turn's promises have run.
    await new Promise(setImmediate);
    process.removeAllListeners("unhandledRejection");
    for (const one of listeners) process.on("unhandledRejection", one);
    expect(caught).toEqual([fault]);
    expect(told).toEqual([2]);
    expect(await batcher.add(3)).toBe(3);
  });
});
