import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { tableOfPromises } from "./promises.ts";

const root = new URL("../../../", import.meta.url);
const [begin, end] = ["<!-- promises -->", "<!-- /promises -->"];

// TASKFERRY_WRITE_PROMISES=1 writes the table; otherwise it must be that of the capabilities.
test("the README's table of promises is what the brokers declare", async () => {
  const path = new URL("README.md", root);
  const readme = await readFile(path, "utf8");
  const [before = "", rest = ""] = readme.split(begin);
  const [, after = ""] = rest.split(end);
  const written = `${before}${begin}\n\n${await tableOfPromises(root)}\n\n${end}${after}`;
  if (process.env["TASKFERRY_WRITE_PROMISES"] === "1") await writeFile(path, written);
  expect(await readFile(path, "utf8")).toBe(written);
});
