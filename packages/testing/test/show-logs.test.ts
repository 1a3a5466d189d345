import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { spawnProcess } from "../src/index.ts";

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

test("logs are printed for the test that failed, and for no other", async () => {
  const config = fileURLToPath(new URL("./fixtures/failing-run/vitest.config.ts", import.meta.url));
  const failing = fileURLToPath(new URL("./fixtures/failing-run/logs.case.ts", import.meta.url));
  await using run = await spawnProcess(vitest, {
    args: ["run", "--config", config, "--dir", dirname(config), failing],
  });
  expect((await run.exited).code).toBe(1);
  expect(run.logs()).toContain("--- loud server ---\nit hurts\n--- end of loud server ---");
  expect(run.logs()).toContain("--- silent server ---\n(no output)\n");
  expect(run.logs()).not.toContain("all is well");
});
