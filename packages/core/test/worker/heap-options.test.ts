import { afterEach, expect, test, vi } from "vitest";
import { workerHeapOptions } from "../../src/index.ts";

afterEach(() => vi.unstubAllEnvs());

test("a process for tasks gets a larger young generation", () => {
  vi.stubEnv("NODE_OPTIONS", "--enable-source-maps");
  expect(workerHeapOptions()).toEqual(["--max-semi-space-size=64"]);
});

test("unless whoever started this one has chosen", () => {
  vi.stubEnv("NODE_OPTIONS", "--enable-source-maps --max-semi-space-size=8");
  expect(workerHeapOptions()).toEqual([]);
});
