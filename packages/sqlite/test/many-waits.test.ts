import { expect, test } from "vitest";
import { sqliteResults } from "../src/index.ts";
import { temporaryFile } from "./temporary-file.ts";

test("many waits at once raise no warning of Node's", async () => {
  const file = temporaryFile();
  const warnings: Error[] = [];
  const listen = (warning: Error): number => warnings.push(warning);
  process.on("warning", listen);
  const results = sqliteResults({ path: file.path });
  const state = results.state?.();
  await results.connect();
  await state?.connect();
  const end = Array.from({ length: 20 }, () => new AbortController());
  const waits = end.map(({ signal }, index) => results.wait(`task-${index}`, { signal }).catch(() => undefined));
  const watches = end.map(async ({ signal }) => {
    for await (const change of state?.watch(["progress"], signal) ?? []) if (change.type === "snapshot") break;
  });
  await Promise.all(watches);
  for (const one of end) one.abort();
  await Promise.all(waits);
  // Warnings come at the end of a turn.
  await new Promise(setImmediate);
  process.off("warning", listen);
  await state?.close();
  await results.close();
  await file.remove();
  expect(warnings).toEqual([]);
});
