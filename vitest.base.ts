import { defineConfig, type ViteUserConfig } from "vitest/config";

const conditions = ["@taskferry/source", "module", "node", "development|production"];

/** The test configuration of every package: workspace packages are read from their sources, so no build is needed. */
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
      testTimeout: 60_000,
      hookTimeout: 60_000,
      ...test,
    },
  });
}
