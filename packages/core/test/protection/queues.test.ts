import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { aesKey, claimCheck, defineTask, encryption } from "../../src/index.ts";
import { oneSecret, scene } from "./setup.ts";

const echo = defineTask<string, string>("echo");
const onEcho = echo.handler((text) => text);
const protection = {
  signatures: oneSecret(),
  encryption: encryption({ keys: [aesKey("e", randomBytes(32))] }),
  claimCheck: claimCheck({ above: 1_000 }),
};
const long = "x".repeat(5_000);

describe("a queue of protected tasks", () => {
  test("moves: what is bound to the queue is made anew for the other", async () => {
    const { client, worker, state } = await scene(protection);
    const from = await client();
    const handles = [await from.enqueue(echo, "short"), await from.enqueue(echo, long)];
    expect(await from.queues.move("default", "other")).toEqual({ moved: 2, left: [] });
    const running = await worker([onEcho], { queues: { other: {} } });
    expect(await handles[0]?.result({ timeout: "10s" })).toBe("short");
    expect((await handles[1]?.result({ timeout: "10s" })) === long).toBe(true);
    await running.close();
    expect((await state.list(["body", "task"], { limit: 10 })).entries).toEqual([]);
  });

  test("is not moved by who cannot sign or open what is in it", async () => {
    const { client } = await scene();
    const from = await client(protection);
    await from.enqueue(echo, "short");
    const stranger = await client();
    const { moved, left } = await stranger.queues.move("default", "other");
    expect({ moved, reason: left[0]?.reason }).toEqual({
      moved: 0,
      reason: expect.stringContaining("signed for the queue") as unknown,
    });
    const unsigned = await client({ encryption: protection.encryption });
    await unsigned.queues.purge("default", "ready");
    await unsigned.enqueue(echo, "short");
    expect((await stranger.queues.move("default", "other")).left[0]?.reason).toContain("encrypted for the queue");
    expect((await from.queues.move("default", "other")).left[0]?.reason).toContain("without a signature");
  });

  test("is paused by a signed record alone", async () => {
    const { client, worker } = await scene();
    const stranger = await client();
    expect(await stranger.queues.pause("default")).toBe(true);
    const from = await client(protection);
    expect(await from.queues.paused()).toEqual([]);
    await worker([onEcho], protection);
    expect(await (await from.enqueue(echo, "runs")).result({ timeout: "10s" })).toBe("runs");
    expect(await from.queues.pause("default"), "the stranger's record is in nobody's way").toBe(true);
    expect((await from.queues.paused()).map(({ queue }) => queue)).toEqual(["default"]);
  });
});

test("the key of a unique task is signed", async () => {
  const single = defineTask<string, string>("single", { unique: { key: (text) => text, ttl: "1m" } });
  const { broker, client, worker, captured } = await scene(protection);
  const from = await client();
  const message = await captured(from, () => from.enqueue(single, "a"));
  expect(message.unique).toBeDefined();
  const running = await worker([single.handler((text) => text)]);
  await broker.publish([{ message: { ...message, hop: 1, unique: "another" } }], { timeout: 1_000 });
  expect((await running.next("task.rejected")).reason.code).toBe("SIGNATURE_INVALID");
});
