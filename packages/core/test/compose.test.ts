import { describe, expect, test } from "vitest";
import type { OutgoingMessage, PublishResult } from "../src/broker.ts";
import { composeEnqueue, composeExecute } from "../src/compose.ts";
import type { Execution, Middleware } from "../src/middleware.ts";
import { shortCircuit } from "../src/middleware.ts";

const execution = { message: {}, input: 1, signal: new AbortController().signal } as unknown as Execution;
const outgoing = { message: { id: "a" } } as unknown as OutgoingMessage;
const accepted: PublishResult = { status: "accepted" };

function recording(name: string, seen: string[]): Middleware {
  return {
    name,
    enqueue: async (message, next) => {
      seen.push(`${name} in`);
      const result = await next(message);
      seen.push(`${name} out`);
      return result;
    },
    execute: async (_, next) => {
      seen.push(`${name} in`);
      const result = await next();
      seen.push(`${name} out`);
      return result;
    },
  };
}

describe("the onion", () => {
  test("without a middleware for a seam there is no layer at all", () => {
    expect(composeEnqueue([{ name: "idle" }], async () => accepted)).toBeUndefined();
    expect(composeExecute([{ name: "idle" }])).toBeUndefined();
  });

  test("the first listed is the outermost", async () => {
    const seen: string[] = [];
    const middlewares = [recording("a", seen), recording("b", seen)];
    await composeExecute(middlewares)?.(execution, async () => seen.push("handler"));
    expect(seen.splice(0)).toEqual(["a in", "b in", "handler", "b out", "a out"]);
    await composeEnqueue(middlewares, async () => {
      seen.push("broker");
      return accepted;
    })?.(outgoing);
    expect(seen).toEqual(["a in", "b in", "broker", "b out", "a out"]);
  });

  test("a forgotten next is an error, never a lost task", async () => {
    const forgetful: Middleware = { name: "forgetful", execute: async () => undefined, enqueue: async () => accepted };
    await expect(composeExecute([forgetful])?.(execution, async () => 1)).rejects.toMatchObject({
      code: "MIDDLEWARE_MISUSED",
      message: expect.stringContaining("forgetful"),
    });
    await expect(composeEnqueue([forgetful], async () => accepted)?.(outgoing)).rejects.toMatchObject({
      code: "MIDDLEWARE_MISUSED",
    });
  });

  test("calling next twice is an error", async () => {
    const eager: Middleware = {
      name: "eager",
      execute: async (_, next) => {
        await next();
        return next();
      },
    };
    let runs = 0;
    await expect(composeExecute([eager])?.(execution, async () => (runs += 1))).rejects.toMatchObject({
      code: "MIDDLEWARE_MISUSED",
    });
    expect(runs).toBe(1);
  });

  test("shortCircuit answers without next", async () => {
    const cached: Middleware = { name: "cached", execute: async () => shortCircuit("from the cache") };
    await expect(composeExecute([cached])?.(execution, () => Promise.reject(new Error("ran")))).resolves.toBe(
      "from the cache",
    );
  });

  test("what a layer throws reaches the caller", async () => {
    const broken: Middleware = { name: "broken", execute: () => Promise.reject(new Error("broken")) };
    await expect(composeExecute([broken])?.(execution, async () => 1)).rejects.toThrow("broken");
  });
});
