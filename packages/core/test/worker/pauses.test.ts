import { expect, test } from "vitest";
import { z } from "zod";
import { defineTask, type Middleware, type MiddlewareHost } from "../../src/index.ts";
import { gate, stage } from "./setup.ts";

const job = defineTask<void, string>("job");

test("a queue that its middlewares and its operator pause goes on when all let go", async () => {
  let host: MiddlewareHost | undefined;
  const pausing: Middleware = {
    name: "pausing",
    start: async (_, started) => {
      host = started;
    },
  };
  const { client, seen, events } = await stage([job.handler(() => "done")], { middlewares: [pausing] });
  const [first, second] = [host?.pause("default"), host?.pause("default")];
  await client.queues.pause("default");
  await seen("queue.paused");
  const handle = await client.enqueue(job);
  first?.();
  first?.();
  await client.queues.resume("default");
  await seen("queue.resumed");
  expect(await client.queues.depth("default")).toMatchObject({ ready: 1, running: 0 });
  expect(events.some(({ type }) => type === "task.received")).toBe(false);
  second?.();
  expect(await handle.result()).toBe("done");
});

test("what is still being read when its queue is paused is handed back, and runs once when it is resumed", async () => {
  const [reached, checked] = [gate(), gate()];
  const input = z.string().refine(async () => {
    reached.open();
    await checked.promise;
    return true;
  });
  let runs = 0;
  const handler = defineTask("checked", { input, output: z.number() }).handler(() => {
    runs += 1;
    return runs;
  });
  const { client, seen, events } = await stage([handler]);
  const handle = await client.enqueue(defineTask<string, number>("checked"), "text");
  await reached.promise;
  await client.queues.pause("default");
  await seen("queue.paused");
  checked.open();
  await seen("task.released");
  expect(events.some(({ type }) => type === "task.started")).toBe(false);
  await client.queues.resume("default");
  expect(await handle.result()).toBe(1);
  expect(runs).toBe(1);
});
