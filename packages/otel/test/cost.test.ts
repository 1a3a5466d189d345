import { performance } from "node:perf_hooks";
import { type Execution, type Message, type OutgoingMessage, type PublishResult, silentLogger } from "@taskferry/core";
import { expect, test } from "vitest";
import { otel } from "../src/index.ts";

const message: Message = {
  ...{ id: "1", run: 0, hop: 0, task: "job", queue: "default", attempt: 0, enqueuedAt: 0 },
  contentType: "application/json",
  body: Buffer.from("null"),
};

test("without an SDK a task costs a look", async () => {
  const telemetry = otel();
  const serializers = { contentType: "", serialize: () => message.body, deserialize: () => null };
  await telemetry.start?.("client", {
    logger: silentLogger,
    state: undefined,
    serializers,
    pause: () => () => undefined,
  });
  const outgoing: OutgoingMessage = { message };
  const options = { retry: { attempts: 1 }, timeout: undefined, acknowledge: "stored" } as const;
  const execution: Execution = { message, input: null, options, signal: new AbortController().signal };
  const accepted: Promise<PublishResult> = Promise.resolve({ status: "accepted" });
  const ran = Promise.resolve<unknown>("done");
  const publish = () => accepted;
  const run = () => ran;
  const tasks = 200_000;
  const measure = async (withOtel: boolean): Promise<number> => {
    const began = performance.now();
    for (let task = 0; task < tasks; task += 1) {
      await (withOtel ? telemetry.enqueue?.(outgoing, publish) : publish());
      await (withOtel ? telemetry.execute?.(execution, run) : run());
    }
    return ((performance.now() - began) * 1_000) / tasks;
  };
  await measure(true);
  await measure(false);
  const [bare, traced] = [await measure(false), await measure(true)];
  process.stdout.write(
    `without an SDK: ${(traced - bare).toFixed(3)} microseconds for a task (${traced.toFixed(3)} - ${bare.toFixed(3)})\n`,
  );
  // Nothing was added on the way.
  expect(
    await telemetry.enqueue?.(outgoing, async (passed) => {
      expect(passed).toBe(outgoing);
      return accepted;
    }),
  ).toEqual({ status: "accepted" });
});
