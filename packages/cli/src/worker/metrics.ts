import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BrokerAdmin, ConfigurationError, type Worker } from "@taskferry/core";

/** What this command uses of @taskferry/prometheus, which it loads from the user's project. */
export interface Metrics {
  readonly contentType: string;
  observeWorker(worker: Worker): unknown;
  watchQueues(queues: Pick<BrokerAdmin, "depth">, names: readonly string[]): unknown;
  /** What was measured here, as plain data. */
  snapshot(): Promise<unknown>;
  /** As text, together with what other processes have measured, by their name. */
  metrics(others?: Readonly<Record<string, unknown>>): Promise<string>;
  close(): void;
}

const packageName = "@taskferry/prometheus";

/** @throws ConfigurationError `PACKAGE_MISSING`. */
export async function loadMetrics(root: string): Promise<Metrics> {
  let path: string;
  try {
    path = createRequire(join(root, "package.json")).resolve(packageName);
  } catch (cause) {
    const text = `--metrics-port needs the package ${packageName}, which is not installed in ${root}. Run: npm install ${packageName}`;
    throw new ConfigurationError("PACKAGE_MISSING", text, { cause });
  }
  const module = (await import(pathToFileURL(path).href)) as { readonly prometheus: () => Metrics };
  return module.prometheus();
}
