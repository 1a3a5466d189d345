import * as valibot from "valibot";
import { describe, expect, test } from "vitest";
import { defineTask, memory, type WorkerOptions } from "../../src/index.ts";
import { badMessages, bodyOf, job, slow, strict } from "./bad-messages.ts";
import { gate, stage } from "./setup.ts";

const handlers = [job.handler(() => "done"), strict.handler(() => undefined), slow.handler(() => undefined)];

const limits: WorkerOptions = { maxBodyBytes: 1_000 };

function hex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("hex");
}

describe("bad input", () => {
  test.each(badMessages)(
    "$what goes to the dead letters, with its reason and its very bytes",
    async ({ bytes, code, says, hasId }) => {
      const broker = memory();
      const { client, seen } = await stage(handlers, { broker, ...limits });
      broker.insertRaw("default", bytes);
      expect(await seen("task.rejected")).toMatchObject({ id: hasId ? "bad" : "", reason: { code } });
      const { entries } = await client.deadLetters.list("default");
      expect(entries.map((entry) => hex(entry.bytes))).toEqual([hex(bytes)]);
      expect(entries[0]?.reason).toMatchObject({ code, message: expect.stringContaining(says) });
      if (hasId) expect(await client.handle(job, "bad").outcome()).toMatchObject({ status: "failed", error: { code } });
      expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    },
  );

  test("each is settled once, its neighbours finish, and the worker goes on", async () => {
    const broker = memory();
    const { client, worker, events, seen } = await stage(handlers, { broker, start: false, ...limits });
    const before = await client.enqueue(job, 1);
    for (const { bytes } of badMessages) broker.insertRaw("default", bytes);
    const after = await client.enqueue(job, 2);
    await worker.start();
    expect([await before.result(), await after.result()]).toEqual(["done", "done"]);
    const last = await client.enqueue(job, 3);
    expect(await last.result()).toBe("done");
    await seen("task.succeeded", ({ id }) => id === last.id);
    await worker.stop();
    expect(events.filter(({ type }) => type === "task.rejected")).toHaveLength(badMessages.length);
    expect(await broker.admin?.depth("default")).toEqual({
      ready: 0,
      delayed: 0,
      running: 0,
      dead: badMessages.length,
    });
    const dead = (await client.deadLetters.list("default", { limit: 1_000 })).entries;
    expect(dead.map(({ bytes }) => hex(bytes)).sort()).toEqual(badMessages.map(({ bytes }) => hex(bytes)).sort());
  });

  test("what was delivered more often than allowed is not run again", async () => {
    const broker = memory();
    const started = gate();
    let runs = 0;
    const first = await stage([job.handler(() => "done")], { broker, start: false });
    const handle = await first.client.enqueue(job, 0);
    for (let crash = 0; crash < 3; crash += 1) {
      const consumer = await broker.consume("default", { window: 1, lease: 60_000 });
      await consumer.take(1, new AbortController().signal);
      await consumer.close();
    }
    const { client, seen } = await stage(
      [
        job.handler(() => {
          runs += 1;
          started.open();
          return "done";
        }),
      ],
      { broker, maxDeliveries: 3 },
    );
    expect(await seen("task.rejected")).toMatchObject({ reason: { code: "TOO_MANY_DELIVERIES" } });
    await expect(handle.result()).rejects.toMatchObject({
      code: "TASK_FAILED",
      cause: { code: "TOO_MANY_DELIVERIES" },
    });
    expect(runs).toBe(0);
    await client.deadLetters.replay("default", "all");
    await started.promise;
    await seen("task.succeeded");
    expect(await handle.result()).toBe("done");
  });

  test("a stop while a schema is asked hands nothing out twice", async () => {
    const broker = memory();
    const asked = gate();
    const answer = gate<boolean>();
    const checked = defineTask("checked", {
      input: valibot.pipeAsync(
        valibot.string(),
        valibot.checkAsync(() => {
          asked.open();
          return answer.promise;
        }, "is refused"),
      ),
    });
    const { client, worker, seen } = await stage([checked.handler(() => undefined)], { broker });
    broker.insertRaw("default", bodyOf('"text"', { task: "checked" }));
    await asked.promise;
    const stopped = worker.stop();
    await seen("worker.stopping");
    answer.open(true);
    await stopped;
    expect(await broker.admin?.depth("default")).toMatchObject({ running: 0, dead: 0 });
    const isDone = (await client.handle(job, "bad").get()).status === "succeeded";
    expect(await broker.admin?.depth("default")).toMatchObject({ ready: isDone ? 0 : 1 });
  });
});
