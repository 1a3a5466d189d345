import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkSamples, findSamples } from "./samples.ts";

const root = join(import.meta.dirname, "..", "..", "..");

test("every sample of the documentation fits today's interface", { timeout: 120_000 }, async () => {
  const samples = await findSamples(root);
  expect(samples.length).toBeGreaterThan(50);
  expect(checkSamples(root, samples)).toEqual([]);
});

test("a sample that does not fit is found, with its page and line", { timeout: 120_000 }, () => {
  const sample = { page: "docs/page.md", line: 7, code: "const a = 1;\nawait client.enqueue(resize, { path: a });" };
  expect(checkSamples(root, [sample])).toEqual([expect.stringMatching(/^docs\/page\.md:8 /)]);
});

test("the README begins with the first example", async () => {
  const [first] = (await findSamples(root)).filter(({ page }) => page === "README.md");
  const example = await readFile(join(root, "apps", "examples", "src", "hello", "main.ts"), "utf8");
  expect(`${first?.code}\n`).toBe(example);
});
