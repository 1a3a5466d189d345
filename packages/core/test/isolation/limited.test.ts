import { describe, expect, test } from "vitest";
import { stage } from "../worker/setup.ts";
import { change, changeInThread, visit, visitInThread } from "./fixtures/limited.ts";

const handlers = [new URL("./fixtures/limited.ts", import.meta.url)];

describe.each(["here", "apart"] as const)("where the loop's handlers run %s", (loop) => {
  const isolation = { loop, threads: 2 };

  test("limits know the keys of tasks whose input is read elsewhere", async () => {
    const { client } = await stage(handlers, { isolation });
    for (const task of [visit, visitInThread]) {
      const handles = await Promise.all(
        ["one", "other", "one", "other", "one"].map((user) => client.enqueue(task, { user })),
      );
      const spans = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
      const ofOne = [0, 2, 4].map((index) => spans[index] as readonly [number, number]).toSorted(([a], [b]) => a - b);
      for (const [index, [from]] of ofOne.slice(1).entries())
        expect(from).toBeGreaterThanOrEqual(ofOne[index]?.[1] as number);
    }
  });

  test("a handler elsewhere enqueues one task of each key", async () => {
    const { client } = await stage(handlers, { isolation });
    for (const task of [change, changeInThread]) {
      const [first, second] = await (await client.enqueue(task, task.name)).result({ timeout: "20s" });
      expect(second).toBe(first);
    }
  });
});
