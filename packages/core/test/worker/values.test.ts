import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineTask } from "../../src/index.ts";
import { stage } from "./setup.ts";

describe("what handlers get and return", () => {
  test("what behaves like a promise is waited for, and what misbehaves as one fails its task", async () => {
    const odd = defineTask<"query" | "proxy" | "promise", unknown>("odd");
    class Broken extends Promise<unknown> {
      override then(): never {
        throw new Error("no then");
      }
    }
    const has = (): never => {
      throw new Error("no look");
    };
    const values = {
      query: () => ({ then: (resolve: (value: unknown) => void) => resolve("rows") }),
      proxy: () => new Proxy({}, { has }),
      promise: () => new Broken(() => undefined),
    };
    const { client } = await stage([odd.handler((kind) => values[kind]())]);
    expect(await (await client.enqueue(odd, "query")).result()).toBe("rows");
    const failed = async (kind: "proxy" | "promise") => (await client.enqueue(odd, kind)).outcome();
    expect(await failed("proxy")).toMatchObject({ status: "failed", error: { message: "no look" } });
    expect(await failed("promise")).toMatchObject({ status: "failed", error: { message: "no then" } });
  });

  test("what no backend keeps is not serialized", async () => {
    const open = defineTask<void, unknown>("open");
    const { client, seen } = await stage([open.handler(() => () => "no data")], { results: false });
    const { id } = await client.enqueue(open);
    const ended = seen("task.failed", (event) => event.id === id).then(({ error }) =>
      expect.unreachable(error.message),
    );
    await Promise.race([ended, seen("task.succeeded", (event) => event.id === id)]);
  });

  test("rich values cross both ways", async () => {
    const echo = defineTask<unknown, unknown>("echo");
    const { client } = await stage([echo.handler((input) => input)]);
    const value = {
      date: new Date(0),
      map: new Map([[1, new Set(["a"])]]),
      big: 10n ** 30n,
      bytes: new Uint8Array([0, 255]),
      nothing: undefined,
      nan: Number.NaN,
    };
    expect(await (await client.enqueue(echo, value)).result()).toEqual(value);
  });

  test("schemas: the original travels, the handler gets it decoded, the caller what the output schema made", async () => {
    const report = defineTask("report", {
      input: z.object({ day: z.string().transform((text) => new Date(text)) }),
      output: z.object({ year: z.number().transform(String) }),
    });
    const { client } = await stage([report.handler(({ day }) => ({ year: day.getUTCFullYear() }))]);
    expect(await (await client.enqueue(report, { day: "2026-03-01" })).result()).toEqual({ year: "2026" });
    await expect(client.enqueue(report, { day: 1 as unknown as string })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      issues: [{ path: ["day"] }],
    });
  });

  test("a handler that returns what its output schema refuses fails for good", async () => {
    const report = defineTask("report", { output: z.number(), retry: { attempts: 3 } });
    const { client } = await stage([report.handler(() => "text" as unknown as number)]);
    expect(await (await client.enqueue(report)).outcome()).toMatchObject({
      status: "failed",
      attempt: 1,
      error: { code: "OUTPUT_INVALID" },
    });
  });
});
