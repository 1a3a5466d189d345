import { createClient, defineTask, memory, provide } from "@taskferry/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestApp, drain, recordEnqueues } from "../../src/users.ts";
import "../../src/vitest.ts";

const ran: string[] = [];
const greeting = provide("greeting", () => "Hello", { scope: "worker" });
const greet = defineTask<{ name: string }, string>("greet");
const onGreet = greet.handler({ greeting }, async ({ name }, { greeting, enqueue }) => {
  ran.push(name);
  if (name === "boom") throw new Error("boom");
  if (name.startsWith("parent")) await enqueue(greet, { name: `child of ${name}` });
  return `${greeting}, ${name}!`;
});

describe("createTestApp", () => {
  test("drain resolves once everything has run, children too", async () => {
    ran.splice(0);
    await using app = await createTestApp({ handlers: [onGreet] });
    for (let index = 0; index < 50; index += 1) await app.client.enqueue(greet, { name: `parent ${index}` });
    await app.drain();
    expect(ran).toHaveLength(100);
    await app.drain();
  });

  test("inline: an enqueue resolves once its task has run, whatever came of it", async () => {
    ran.splice(0);
    await using app = await createTestApp({ handlers: [onGreet], inline: true, overrides: [greeting.override("Hi")] });
    const handle = await app.client.enqueue(greet, { name: "Ada" });
    expect(ran).toEqual(["Ada"]);
    expect(await handle.get()).toMatchObject({ status: "succeeded", result: "Hi, Ada!" });
    const failed = await app.client.enqueue(greet, { name: "boom" });
    expect(await failed.get()).toMatchObject({ status: "failed" });
    await app.client.enqueue(greet, { name: "late" }, { delay: "1h" });
    expect(ran).toEqual(["Ada", "boom"]);
  });

  test("a worker that does not run cannot be drained", async () => {
    const app = await createTestApp({ handlers: [onGreet] });
    await app.close();
    await expect(drain(app.worker, app.broker)).rejects.toMatchObject({ code: "WORKER_NOT_RUNNING" });
  });
});

describe("toHaveEnqueued", () => {
  test("by task, and by input", async () => {
    await using app = await createTestApp({ handlers: [onGreet] });
    expect(app).not.toHaveEnqueued(greet);
    await app.client.enqueue(greet, { name: "Ada" }, { delay: "1h", id: "a" });
    expect(app).toHaveEnqueued(greet);
    expect(app).toHaveEnqueued(greet, { name: "Ada" });
    expect(app).toHaveEnqueued(greet, { name: expect.stringMatching(/^A/) });
    expect(app).not.toHaveEnqueued(greet, { name: "Bob" });
    expect(app).not.toHaveEnqueued(defineTask("other"));
    expect(app.enqueued).toMatchObject([{ task: "greet", id: "a", queue: "default", delay: 3_600_000 }]);
    expect(() => expect(app).toHaveEnqueued(greet, { name: "Bob" })).toThrow(
      "Expected an enqueue of greet with { name: 'Bob' }. Of this task there was: { name: 'Ada' }.",
    );
    expect(() => expect(app).not.toHaveEnqueued(greet)).toThrow("Expected no enqueue of greet.");
  });

  test("by a handler", async () => {
    await using app = await createTestApp({ handlers: [onGreet] });
    await app.client.enqueue(greet, { name: "parent" });
    await app.drain();
    expect(app).toHaveEnqueued(greet, { name: "child of parent" });
    expect(app.enqueued).toHaveLength(2);
  });

  test("of a client of one's own", async () => {
    const recorder = recordEnqueues();
    const client = await createClient({ broker: memory(), middlewares: [recorder] });
    onTestFinished(() => client.close());
    await client.enqueue(greet, { name: "Ada" }, { id: "a" });
    await client.enqueue(greet, { name: "Ada" }, { id: "a" });
    expect(recorder).toHaveEnqueued(greet, { name: "Ada" });
    expect(recorder.enqueued).toHaveLength(1);
    recorder.clear();
    expect(recorder).not.toHaveEnqueued(greet);
  });
});
