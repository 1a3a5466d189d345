// The gate of one package, run in its folder after a build: it packs the package as publishing would, and looks at that.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { main, StepFailed } from "./steps.mjs";

const folder = process.cwd();
const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const packed = join(folder, "node_modules", ".packed");
const unpacked = join(packed, "package");

await main(() => {
  refuseStaleOutput();
  const tarball = pack();
  tool("publint", ["--strict", tarball]);
  tool("attw", [tarball, "--profile", "esm-only", "--format", "ascii", "--no-emoji"]);
  checkContents();
  requireIt();
  if (manifest["size-limit"]) tool("size-limit", []);
  rmSync(packed, { recursive: true });
  return 0;
});

/** tsc leaves the output of a source that is gone: it must not be published. */
function refuseStaleOutput() {
  const stale = filesIn(join(folder, "dist"))
    .filter((file) => file.endsWith(".js"))
    .filter((file) => !existsSync(join(folder, "src", file.replace(/\.js$/, ".ts"))));
  if (stale.length > 0)
    throw new StepFailed(`dist holds output without a source; remove dist and build again: ${stale.join(", ")}`);
}

function pack() {
  rmSync(packed, { recursive: true, force: true });
  mkdirSync(packed, { recursive: true });
  execFileSync("pnpm", ["pack", "--pack-destination", packed], { stdio: ["ignore", "ignore", "inherit"] });
  const [name] = readdirSync(packed);
  execFileSync("tar", ["-xzf", join(packed, name), "-C", packed]);
  return join(packed, name);
}

function checkContents() {
  const files = filesIn(unpacked);
  const published = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
  const faults = [
    ...["LICENSE", "README.md"].filter((name) => !files.includes(name)).map((name) => `${name} is missing`),
    ...files
      .filter((file) => /\.test\.|\.test-d\.|tsbuildinfo|(^|\/)test\//.test(file))
      .map((file) => `${file} is not for users`),
    ...files.filter((file) => file.endsWith(".map")).flatMap(missingSources),
    ...(JSON.stringify(published).includes("@taskferry/source")
      ? ["the source condition is still in package.json"]
      : []),
    ...(JSON.stringify(published).match(/"(workspace|catalog):[^"]*"/g) ?? []).map(
      (range) => `the range ${range} is not resolved`,
    ),
  ];
  if (faults.length > 0)
    throw new StepFailed(`${manifest.name} would be published with faults:\n  ${faults.join("\n  ")}`);
}

function missingSources(map) {
  const { sources } = JSON.parse(readFileSync(join(unpacked, map), "utf8"));
  const from = join(unpacked, map, "..");
  return sources
    .filter((source) => !existsSync(join(from, source)))
    .map((source) => `${map} names ${source}, which is not packed`);
}

/** Users of CommonJS load an ESM package with require(): that fails where a module awaits at its top level. */
function requireIt() {
  const names = Object.keys(createRequire(join(unpacked, "package.json"))(manifest.name));
  if (names.length === 0) throw new StepFailed(`${manifest.name} exports nothing`);
  console.log(`require("${manifest.name}") has ${names.length} names`);
}

function tool(name, args) {
  const { status, error } = spawnSync(name, args, { stdio: "inherit" });
  if (error) throw new StepFailed(`${name} could not be started: ${error.message}`);
  if (status !== 0) throw new StepFailed(`${manifest.name} did not pass ${name}; its output is above.`);
}

function filesIn(start) {
  const entries = readdirSync(start, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(start, join(entry.parentPath ?? entry.path, entry.name)));
}
