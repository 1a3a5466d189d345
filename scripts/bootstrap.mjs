// From a fresh clone with nothing but Node and npm to an installed workspace. Uses only what Node brings.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { requireNode } from "./node-version.mjs";
import { root, runQuietly, step } from "./steps.mjs";

const tools = join(root, ".tools");
const pnpmFolder = join(tools, "node_modules", "pnpm");
export const pnpmScript = join(pnpmFolder, "bin", "pnpm.cjs");
const stamp = join(root, "node_modules", ".taskferry-installed");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Makes the workspace ready and answers the environment in which its tools run. */
export async function bootstrap() {
  requireNode();
  await installPackageManager();
  await installDependencies();
  return toolEnvironment();
}

function toolEnvironment() {
  const bins = [join(tools, "node_modules", ".bin"), join(root, "node_modules", ".bin")];
  return {
    ...process.env,
    PATH: [...bins, process.env.PATH].join(delimiter),
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    DO_NOT_TRACK: "1",
  };
}

/** pnpm at the version that package.json pins, in a folder of this clone: nothing global is touched. */
async function installPackageManager() {
  const { packageManager } = readJson(join(root, "package.json"));
  const [, version] = packageManager.split("@");
  const manifest = join(pnpmFolder, "package.json");
  if (existsSync(manifest) && readJson(manifest).version === version) return;
  await step(`getting ${packageManager}`, async () => {
    mkdirSync(tools, { recursive: true });
    writeFileSync(join(tools, "package.json"), '{ "private": true }\n');
    const args = ["install", "--prefix", tools, "--save-exact", "--no-audit", "--no-fund", packageManager];
    await runQuietly("npm", args, { cwd: tools });
  });
}

async function installDependencies() {
  const wanted = installedFor();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  await step("installing dependencies", async () => {
    const args = ["install", "--frozen-lockfile", "--prefer-offline", "--config.confirmModulesPurge=false"];
    await runQuietly(process.execPath, [pnpmScript, ...args], { env: toolEnvironment(), name: "pnpm install" });
    writeFileSync(stamp, wanted);
  });
}

/** What an install depends on: when this text is the same, what is installed is still right. */
function installedFor() {
  const lockfile = createHash("sha256")
    .update(readFileSync(join(root, "pnpm-lock.yaml")))
    .digest("hex");
  return `${lockfile} node ${process.versions.modules} ${process.platform} ${process.arch}\n`;
}
