import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cliVersion } from "../version.ts";
import { createCheck, type Finding } from "./finding.ts";

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The @taskferry packages of a project, as they are installed there. */
export function checkPackages(root: string): readonly Finding[] {
  const check = createCheck("packages");
  const core = versionOf(root, "@taskferry/core");
  if (core === undefined) {
    check.failure(`@taskferry/core cannot be found from ${root}`, "Run: npm install @taskferry/core");
    return check.findings;
  }
  check.ok(`@taskferry/core ${core}, @taskferry/cli ${cliVersion()}`);
  const ownCore = versionOf(fileURLToPath(import.meta.url), "@taskferry/core");
  if (ownCore !== core) {
    check.warning(
      `this command uses @taskferry/core ${ownCore}, the project ${core}`,
      "Install both in the project, so that they share one: npm install @taskferry/cli @taskferry/core",
    );
  }
  for (const name of declared(root).filter((name) => name !== "@taskferry/core" && name !== "@taskferry/cli")) {
    const version = versionOf(root, name);
    if (version === undefined) check.failure(`${name} is in package.json and not installed`, "Run: npm install");
    else check.ok(`${name} ${version}`);
  }
  return check.findings;
}

function declared(root: string): readonly string[] {
  const { dependencies, devDependencies } = readManifest(join(root, "package.json")) ?? {};
  return Object.keys({ ...dependencies, ...devDependencies }).filter((name) => name.startsWith("@taskferry/"));
}

/** What an import from `folder` would find. `require.resolve` would also look where NODE_PATH says, as no import does. */
function versionOf(folder: string, name: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    const manifest = readManifest(join(current, "node_modules", name, "package.json"));
    if (manifest !== undefined || dirname(current) === current) return manifest?.version;
  }
}

function readManifest(path: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}
