import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parseOptions, UsageError } from "../src/launch/options.ts";

const parse = (...args: readonly string[]) => parseOptions(args, "/home/ada");

describe("the command line", () => {
  test("without anything starts the application", () => {
    expect(parse()).toEqual({ help: false, port: undefined, host: undefined, check: undefined });
  });

  test("--check takes a folder, which begins where the user is", () => {
    expect(parse("--check").check).toEqual({ folder: undefined, mode: "queue" });
    expect(parse("--check", "holiday").check?.folder).toBe(resolve("/home/ada/holiday"));
    expect(parse("--check", "/data", "--mode", "inline").check).toEqual({ folder: resolve("/data"), mode: "inline" });
  });

  test("--port and --host", () => {
    expect(parse("--port", "0", "--host", "0.0.0.0")).toMatchObject({ port: 0, host: "0.0.0.0" });
  });

  test.each([
    [["--prot", "1"], /--prot/],
    [["--port", "high"], /--port: expected a number from 0 to 65535/],
    [["--port", "70000"], /--port: expected a number/],
    [["--check", "--mode", "fast"], /--mode: expected "queue" or "inline"/],
    [["--mode", "inline"], /--mode goes with --check/],
    [["folder"], /Expected no folder without --check/],
    [["--check", "one", "two"], /Expected one folder/],
  ])("%j is refused with what was expected", (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError);
    expect(() => parse(...args)).toThrow(message);
  });
});
