import { defineTask, provide, type Schema } from "@taskferry/core";
import { describe, expect, expectTypeOf, test } from "vitest";
import { fakeContext, runHandler } from "../../src/users.ts";

interface Mailer {
  send(to: string): Promise<string>;
}
const notes: string[] = [];
const mailer = provide(
  "mailer",
  async function* (): AsyncGenerator<Mailer> {
    notes.push("made");
    yield { send: async (to) => `really sent to ${to}` };
    notes.push("ended");
  },
  { scope: "worker" },
);
const welcome = defineTask<{ to: string }, string>("welcome", { queue: "mails" });
const onWelcome = welcome.handler({ mailer }, async ({ to }, { mailer, id, queue, attempt, progress, enqueue }) => {
  progress(0.5, "half way");
  await enqueue(welcome, { to: "next" });
  return `${await mailer.send(to)} by ${id} of ${queue}, attempt ${attempt}`;
});

/** A schema that reads numbers from texts. */
const numeric: Schema<string, number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) =>
      Number.isNaN(Number(value)) ? { issues: [{ message: "no number", path: ["n"] }] } : { value: Number(value) },
  },
};

describe("runHandler", () => {
  test("runs with overridden dependencies and a context of its own", async () => {
    const context = fakeContext({ id: "a", attempt: 2, queue: "mails" });
    const overrides = [mailer.override({ send: async (to) => `sent to ${to}` })];
    const result = await runHandler(onWelcome, { to: "ada" }, { overrides, context });
    expectTypeOf(result).toEqualTypeOf<string>();
    expect(result).toBe("sent to ada by a of mails, attempt 2");
    expect(context.reported).toEqual([{ value: 0.5, note: "half way" }]);
    expect(context.children).toMatchObject([{ id: "child-1", task: "welcome", input: { to: "next" } }]);
    expect(notes).toEqual([]);
  });

  test("what is not overridden is made, and ends before it resolves", async () => {
    expect(await runHandler(onWelcome, { to: "ada" })).toBe("really sent to ada by test of mails, attempt 0");
    expect(notes).toEqual(["made", "ended"]);
  });

  test("the input goes through the schema, and so does the result", async () => {
    const double = defineTask("double", { input: numeric, output: numeric });
    const onDouble = double.handler((value) => String(value * 2));
    const result = await runHandler(onDouble, "21");
    expectTypeOf(result).toEqualTypeOf<number>();
    expect(result).toBe(42);
    await expect(runHandler(onDouble, "many")).rejects.toMatchObject({
      code: "INPUT_INVALID",
      issues: [{ path: ["n"] }],
    });
    const wrong = double.handler(() => "many");
    await expect(runHandler(wrong, "1")).rejects.toMatchObject({ code: "OUTPUT_INVALID" });
  });

  test("rejects with what the handler throws, and with faults of its providers", async () => {
    const boom = welcome.handler(() => {
      throw new RangeError("boom");
    });
    await expect(runHandler(boom, { to: "" })).rejects.toThrow(RangeError);
    const broken = welcome.handler({ gone: undefined as unknown as typeof mailer }, () => "");
    await expect(runHandler(broken, { to: "" })).rejects.toMatchObject({ code: "CONFIGURATION_INVALID" });
  });
});
