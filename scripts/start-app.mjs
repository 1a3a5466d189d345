// Builds an application of this repository with all that it needs, and becomes it: arguments in, signals in, exit code out.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bootstrap } from "./bootstrap.mjs";
import { root, run, StepFailed, step } from "./steps.mjs";
import { isFailure, runTasks } from "./turbo.mjs";

/** `prepare` answers environment variables that the application needs besides. Answers the application's exit code. */
export async function startApp(name, { prepare = async () => ({}) } = {}) {
  const tools = await bootstrap();
  const env = { ...tools, ...(await prepare()) };
  await step(`building @taskferry/${name} and what it needs`, () => build(name, env));
  const folder = join(root, "apps", name);
  const [script, ...fixed] = startScript(folder);
  const { code } = await run(process.execPath, [script, ...fixed, ...process.argv.slice(2)], { cwd: folder, env });
  return code;
}

async function build(name, env) {
  const outcomes = await runTasks(["build"], { env, quiet: true, args: [`--filter=@taskferry/${name}...`] });
  const failed = outcomes.filter(isFailure).map(({ id }) => id);
  if (failed.length > 0) throw new StepFailed(`The build failed: ${failed.join(", ")}.`);
}

/** The application's `start` script is `node` with a file, so that no shell and no package manager stands between. */
function startScript(folder) {
  const { name, scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const [command, ...rest] = scripts.start?.split(" ") ?? [];
  if (command !== "node")
    throw new StepFailed(`The start script of ${name} must be "node FILE", and is ${JSON.stringify(scripts.start)}.`);
  return rest;
}
