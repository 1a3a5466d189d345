import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type Broker, defineTask, memory } from "../../src/index.ts";
import { stage } from "../worker/setup.ts";
import { clientOf, echo, echoes } from "./setup.ts";

describe("enqueueMany", () => {
  test("answers per input and in order; what is refused does not touch its neighbours", async () => {
    const strict = defineTask("strict", { input: z.object({ n: z.number(), more: z.unknown().optional() }) });
    const { client } = await stage([strict.handler(({ n }) => n)]);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const answers = await client.enqueueMany(
      strict,
      [
        { n: 0 },
        { n: "one" as unknown as number },
        { n: 2, more: cycle },
        { n: 3, more: "x".repeat(1024 * 1024) },
        { n: 4 },
        { n: 0 },
        { n: 6 },
      ],
      { id: ({ n }, index) => (n === 6 ? "no spaces" : `id-${index === 5 ? 0 : index}`) },
    );
    const outline = answers.map((answer) =>
      answer.status === "refused" ? (answer.error as { code?: string }).code : answer.status,
    );
    expect(outline).toEqual([
      "accepted",
      "INPUT_INVALID",
      "NOT_SERIALIZABLE",
      "MESSAGE_TOO_LARGE",
      "accepted",
      "duplicate",
      "NAME_INVALID",
    ]);
    const results = await Promise.all(
      answers.flatMap((answer) => (answer.status === "refused" ? [] : [answer.handle.result()])),
    );
    expect(results).toEqual([0, 4, 0]);
  });

  test("what a middleware throws refuses that input alone", async () => {
    const broker = memory();
    await stage([echoes], { broker });
    const client = await clientOf({
      broker,
      middlewares: [
        {
          name: "picky",
          enqueue: async (outgoing, next) => {
            if (outgoing.message.id === "id-1") throw new RangeError("not this one");
            return next(outgoing);
          },
        },
      ],
    });
    const answers = await client.enqueueMany(echo, ["a", "b", "c"], { id: (_, index) => `id-${index}` });
    expect(answers).toMatchObject([
      { status: "accepted", handle: { id: "id-0" } },
      { status: "refused", error: { message: "not this one" } },
      { status: "accepted", handle: { id: "id-2" } },
    ]);
    expect(await client.handle(echo, "id-2").result()).toBe("c");
  });

  test("many go out in few batches, and each comes back", async () => {
    const sizes: number[] = [];
    const real = memory();
    const broker: Broker = {
      ...real,
      publish: (messages, options) => {
        sizes.push(messages.length);
        return real.publish(messages, options);
      },
    };
    const { client } = await stage([echoes], { broker, queues: { default: { concurrency: 100 } } });
    const inputs = Array.from({ length: 5_000 }, (_, index) => index);
    const answers = await client.enqueueMany(echo, inputs);
    expect(sizes.length).toBeLessThanOrEqual(20);
    const results = await Promise.all(
      answers.map((answer) => (answer.status === "refused" ? undefined : answer.handle.result())),
    );
    expect(results).toEqual(inputs);
    expect(await client.enqueueMany(echo, [])).toEqual([]);
  });

  test("faults of its options reject it as a whole", async () => {
    const client = await clientOf({ broker: memory() });
    await expect(client.enqueueMany(echo, [1, 2], { priority: 10 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    expect(await client.queues.depth("default")).toMatchObject({ ready: 0 });
  });
});
