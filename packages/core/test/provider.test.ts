import { describe, expect, test } from "vitest";
import { defineTask, isProvider, provide, provideValue } from "../src/index.ts";

const db = provide("db", () => 1, { scope: "worker" });

describe("provide", () => {
  test("makes a frozen value that is recognised by its brand", () => {
    expect(isProvider(db)).toBe(true);
    expect(Object.isFrozen(db)).toBe(true);
    expect(db).toMatchObject({ name: "db", scope: "worker", eager: false, needs: {} });
    for (const other of [undefined, null, {}, { name: "db", make: () => 1 }]) expect(isProvider(other)).toBe(false);
    expect(isProvider({ [Symbol.for("taskferry.provider")]: true })).toBe(true);
  });

  test("provideValue is a provider of a value that is there", () => {
    expect(provideValue("clock", 5)).toMatchObject({ name: "clock", scope: "worker" });
    expect(db.override(7)).toEqual({ provider: db, value: 7 });
  });

  test.each<readonly [string, () => unknown, object]>([
    ["a bad name", () => provide("my db", () => 1, { scope: "task" }), { code: "NAME_INVALID" }],
    ["no factory", () => provide("db", 5 as never, { scope: "task" }), { message: expect.stringContaining("factory") }],
    ["no scope", () => provide("db", () => 1, {} as never), { message: expect.stringContaining("scope") }],
    ["no options", () => provide("db", () => 1, undefined as never), { message: expect.stringContaining("scope") }],
    [
      "an eager one of a task",
      () => provide("db", () => 1, { scope: "task", eager: true as never }),
      { message: expect.stringContaining("eager") },
    ],
    [
      "needs named context",
      () => provide("a", () => 1, { scope: "task", needs: { context: db } as never }),
      { message: expect.stringContaining('"context" is a name of the context already') },
    ],
    [
      "a provider in the place of needs",
      () => provide("a", () => 1, { scope: "task", needs: db as never }),
      { message: expect.stringContaining("such as { db }, got a provider") },
    ],
  ])("refuses %s", (_, make, error) => {
    expect(make).toThrow(expect.objectContaining({ name: "OptionError", ...error }));
  });

  test.each(["id", "task", "signal", "log", "progress", "headers", "attempt"])(
    "a handler cannot need something under the name %s of its context",
    (name) => {
      const task = defineTask("task");
      expect(() => task.handler({ [name]: db } as never, () => undefined)).toThrow(
        expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(`"${name}"`) }),
      );
    },
  );

  test.each<readonly [string, () => unknown]>([
    ["without a function", () => defineTask("task").handler({ db }, undefined as never)],
    ["with a provider in the place of needs", () => defineTask("task").handler(db as never, () => undefined)],
    ["with nothing", () => defineTask("task").handler(undefined as never)],
  ])("a handler %s is refused", (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });
});
