// Runs turbo tasks and answers, task by task, what became of them.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, run, StepFailed } from "./steps.mjs";
import { workspace } from "./workspace.mjs";

/** Everything that is checked without running a test. */
export const checks = ["build", "lint", "types", "package", "boundaries", "unused"];

export const isFailure = ({ status }) => status === "failed" || status === "not run";

const turbo = join(root, "node_modules", "turbo", "bin", "turbo");
const summaries = join(root, ".turbo", "runs");

/**
 * Runs the tasks; a failure stops only what depends on it. With `quiet`, nothing is shown unless something fails. Answers `[{ id, task, folder, status }]`, where the status is
 * `passed`, `cached`, `failed` or `not run`.
 */
export async function runTasks(tasks, { env, args = [], quiet = false, limitMinutes } = {}) {
  const begun = Date.now();
  const logs = quiet ? "errors-only" : "new-only";
  const options = ["--continue=dependencies-successful", `--output-logs=${logs}`, "--summarize", ...args];
  const command = [turbo, "run", ...tasks, ...options];
  const { code, output, stoppedBy } = await run(process.execPath, command, { env, limitMinutes, quiet });
  if (code !== 0) process.stderr.write(output);
  if (stoppedBy) throw new StepFailed(`stopped by ${stoppedBy}`);
  const ran = readOutcomes(tasks, begun);
  const isWhole = !args.some((arg) => /^(--filter|-F|--affected)/.test(arg));
  const outcomes = isWhole ? [...ran, ...missingFrom(ran, tasks)] : ran;
  if (code === 0 || outcomes.some(isFailure)) return outcomes;
  return [...outcomes, { id: `turbo run ${tasks.join(" ")}`, task: "turbo", folder: root, status: "failed" }];
}

function readOutcomes(tasks, begun) {
  const summary = findSummary(tasks, begun);
  if (!summary) return [];
  return summary.tasks
    .filter(({ command, task }) => command !== "<NONEXISTENT>" && tasks.includes(task))
    .map(({ taskId, task, directory, execution, cache }) => ({
      id: taskId.replace(/^\/\/#/, ""),
      task,
      folder: join(root, directory ?? ""),
      status: statusOf(execution, cache),
    }));
}

/** Another turbo may run in this folder at the same time: ours is the one that began after us, with our tasks. */
function findSummary(tasks, begun) {
  if (!existsSync(summaries)) return undefined;
  return readdirSync(summaries)
    .map((name) => join(summaries, name))
    .filter((path) => statSync(path).mtimeMs >= begun)
    .map((path) => JSON.parse(readFileSync(path, "utf8")))
    .find(({ execution }) => execution.command.startsWith(`turbo run ${tasks.join(" ")} `));
}

function statusOf(execution, cache) {
  if (!execution) return "not run";
  if (execution.exitCode !== 0) return "failed";
  return cache?.status === "HIT" ? "cached" : "passed";
}

/** turbo does not list what it left out because something before it failed. */
function missingFrom(outcomes, tasks) {
  const wanted = workspace().flatMap(({ name, folder, scripts }) =>
    tasks.filter((task) => scripts[task]).map((task) => ({ id: `${name}#${task}`, task, folder, status: "not run" })),
  );
  return wanted.filter(({ id }) => !outcomes.some((outcome) => outcome.id === id));
}

/** One line for each kind of task: how many there were, how many came from the cache, which failed. */
export function printOutcomes(outcomes) {
  for (const kind of new Set(outcomes.map(({ task }) => task))) {
    const list = outcomes.filter(({ task }) => task === kind);
    const cached = list.filter(({ status }) => status === "cached").length;
    const failed = list.filter(isFailure).map(({ id, status }) => `${id} (${status})`);
    const verdict = failed.length > 0 ? `FAILED: ${failed.join(", ")}` : "ok";
    console.log(`   ${kind.padEnd(11)}${verdict}, ${list.length} in all, ${cached} from the cache`);
  }
}
