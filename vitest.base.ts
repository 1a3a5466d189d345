import { defineConfig, type ViteUserConfig } from "vitest/config";

/**
 * By which condition the packages of the workspace are found: in their sources, so that no build is needed. With
 * TASKFERRY_BUILT=1, in what was built, as users have them, which spares compiling them in every process of a test.
 */
export const workspaceConditions = process.env["TASKFERRY_BUILT"] === "1" ? [] : ["@taskferry/source"];
const conditions = [...workspaceConditions, "module", "node", "development|production"];

/** The test configuration of every package. */
export function packageTests(test: ViteUserConfig["test"] = {}): ViteUserConfig {
  return defineConfig({
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: conditions } },
    test: {
      include: ["test/**/*.test.ts"],
      reporters: ["default", "json"],
      outputFile: { json: ".reports/tests.json" },
      // Most suites wait for leases, servers and other processes rather than for a core.
      maxWorkers: 3,
      // The files that one worker runs share their modules: loading them anew for each takes several times as long.
      isolate: false,
      server: { deps: { external: [/\/node_modules\//, /\/packages\/[a-z]+\/dist\//] } },
      testTimeout: 60_000,
      hookTimeout: 60_000,
      ...test,
    },
  });
}
