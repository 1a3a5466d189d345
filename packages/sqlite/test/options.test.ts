import { join } from "node:path";
import { isTaskferryError } from "@taskferry/core";
import { describe, expect, test } from "vitest";
import { schemes } from "../src/index.ts";
import { readOptions, type SqliteOptions } from "../src/options.ts";

function codeOf(options: SqliteOptions): string | undefined {
  try {
    readOptions(options);
    return undefined;
  } catch (error) {
    return isTaskferryError(error) ? error.code : String(error);
  }
}

test("defaults", () => {
  expect(readOptions({ path: "/data/queue.db" })).toEqual({
    path: "/data/queue.db",
    synchronous: "normal",
    timeout: 10_000,
    dedupeWindow: 600_000,
  });
});

test.each([
  ["a path", { path: "/data/queue.db" }, "/data/queue.db"],
  ["a relative path, from the working directory", { path: "data/queue.db" }, join(process.cwd(), "data/queue.db")],
  ["a URL", { url: "sqlite:/data/queue.db" }, "/data/queue.db"],
  ["a URL with three slashes", { url: "sqlite:///data/queue.db" }, "/data/queue.db"],
  ["a URL with a relative path", { url: "sqlite:queue.db" }, join(process.cwd(), "queue.db")],
  ["a path with spaces and per cents, as it is", { url: "sqlite:/my data/50%20.db" }, "/my data/50%20.db"],
])("%s names the file", (_, options: SqliteOptions, path: string) => {
  expect(readOptions(options).path).toBe(path);
});

test("a URL carries the other options", () => {
  const url = "sqlite:/q.db?synchronous=full&timeout=3s&dedupeWindow=5000";
  expect(readOptions({ url })).toEqual({ path: "/q.db", synchronous: "full", timeout: 3_000, dedupeWindow: 5_000 });
});

test.each<[string, SqliteOptions, string]>([
  ["no path", {}, "OPTION_INVALID"],
  ["an empty path", { path: "" }, "OPTION_INVALID"],
  ["a path and a URL", { path: "/a.db", url: "sqlite:/a.db" }, "OPTION_INVALID"],
  ["a database in memory", { path: ":memory:" }, "OPTION_INVALID"],
  ["a URL of a database in memory", { url: "sqlite::memory:" }, "URL_INVALID"],
  ["a URL without a path", { url: "sqlite:" }, "URL_INVALID"],
  ["a URL of another scheme", { url: "redis://localhost" }, "URL_INVALID"],
  ["a URL with an option that is not known", { url: "sqlite:/a.db?mode=ro" }, "URL_INVALID"],
  ["another way to synchronize", { url: "sqlite:/a.db?synchronous=off" }, "OPTION_INVALID"],
  ["a timeout that is no duration", { path: "/a.db", timeout: "soon" }, "DURATION_INVALID"],
  ["no time at all", { path: "/a.db", timeout: 0 }, "OPTION_INVALID"],
])("%s is refused", (_, options, code) => {
  expect(codeOf(options)).toBe(code);
});

describe("schemes", () => {
  test("make all three kinds from a URL, without opening it", () => {
    const url = "sqlite:/nowhere/at/all/queue.db";
    expect(schemes.brokers["sqlite:"](url)).toMatchObject({ name: "sqlite", contract: 1 });
    expect(schemes.results["sqlite:"](url)).toMatchObject({ name: "sqlite", contract: 1 });
    expect(schemes.states["sqlite:"](url)).toMatchObject({ name: "sqlite", contract: 1 });
  });
});
