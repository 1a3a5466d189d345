import { expect, test } from "vitest";
import { defineTask, type Middleware, type MiddlewareHost } from "../../src/index.ts";
import { stage } from "./setup.ts";

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
