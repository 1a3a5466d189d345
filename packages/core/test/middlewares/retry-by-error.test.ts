import { describe, expect, test } from "vitest";
import { CancelTask, defineTask, type RetryByErrorOptions, RetryLater, retryByError } from "../../src/index.ts";
import { stage } from "../worker/setup.ts";

class NotFound extends Error {
  override readonly name = "NotFound";
}
class Throttled extends Error {
  override readonly name = "Throttled";
  readonly code = "RATE_LIMITED";
}

const failing = defineTask<void, string>("failing", { retry: { attempts: 3, backoff: { from: 0, to: 0 } } });

/** Runs a task whose handler throws each of `errors` in turn, then returns. */
async function outcomeOf(options: RetryByErrorOptions, errors: readonly unknown[], enqueue: object = {}) {
  let calls = 0;
  const handler = failing.handler(() => {
    calls += 1;
    if (calls <= errors.length) throw errors[calls - 1];
    return `call ${calls}`;
  });
  const { client } = await stage([handler], { middlewares: [retryByError(options)] });
  const outcome = await (await client.enqueue(failing, undefined, enqueue)).outcome();
  return { ...outcome, calls };
}

describe("retryByError", () => {
  test.each([
    ["class", NotFound],
    ["name", "NotFound"],
    ["test", { test: (error: unknown) => (error as Error).message === "gone" }],
  ] as const)("never, by %s: fails for good at once and keeps the error as cause", async (_, match) => {
    expect(await outcomeOf({ never: [match] }, [new NotFound("gone")])).toMatchObject({
      status: "failed",
      calls: 1,
      error: { message: "gone", cause: { name: "NotFound" } },
    });
  });

  test("what is not named is tried again under the task's policy", async () => {
    expect(await outcomeOf({ never: [NotFound] }, [new Error("passing")])).toMatchObject({
      result: "call 2",
      attempt: 1,
    });
  });

  test("only: all others fail for good", async () => {
    expect(await outcomeOf({ only: [Throttled] }, [new Throttled("slow down"), new Error("else")])).toMatchObject({
      status: "failed",
      calls: 2,
      attempt: 2,
      error: { message: "else" },
    });
  });

  test("later: comes again after the delay, no attempt counted, by code too", async () => {
    const errors = Array.from({ length: 5 }, () => new Throttled("slow down"));
    expect(await outcomeOf({ later: [{ on: "RATE_LIMITED", delay: 1 }] }, errors)).toMatchObject({
      result: "call 6",
      attempt: 0,
    });
  });

  test("later, past its time: an ordinary failure", async () => {
    const errors = Array.from({ length: 5 }, () => new Throttled("slow down"));
    expect(await outcomeOf({ later: [{ on: Throttled, delay: 1, until: 0 }] }, errors)).toMatchObject({
      status: "failed",
      calls: 3,
      error: { name: "Throttled" },
    });
  });

  test("later, for a task that cannot come again: the error stands", async () => {
    const rules = { later: [{ on: Throttled, delay: 1 }] };
    expect(await outcomeOf(rules, [new Throttled("slow down")], { acknowledge: "received" })).toMatchObject({
      status: "failed",
      error: { name: "Throttled" },
    });
  });

  test.each([
    ["CancelTask", new CancelTask("unwanted"), "cancelled"],
    ["RetryLater", new RetryLater(0), "succeeded"],
  ] as const)("what the handler decides with %s stands", async (_, error, status) => {
    expect(await outcomeOf({ only: [Throttled] }, [error])).toMatchObject({ status, attempt: 0 });
  });

  test("never and only together are refused", () => {
    expect(() => retryByError({ never: [], only: [] })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(() => retryByError({ later: [{ on: "x", delay: "soon" }] })).toThrow(
      expect.objectContaining({ code: "DURATION_INVALID" }),
    );
  });
});
