// Adds up the JSON reports that vitest writes into `.reports` of each package.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { root } from "./steps.mjs";
import { workspace } from "./workspace.mjs";

/** Old reports must not be counted: turbo puts those of cached runs back. */
export function removeReports() {
  for (const { folder } of workspace()) rmSync(join(folder, ".reports"), { recursive: true, force: true });
}

/** The figures of one test task. One that failed, or ended without a report, has at least one failure. */
export function figuresOf({ id, folder, status }) {
  const reports = readReports(folder);
  const failures = reports.flatMap(({ testResults }) => testResults.flatMap(failuresOf));
  const hasFailed = status === "failed" || status === "not run" || reports.length === 0;
  if (hasFailed && failures.length === 0) failures.push(`${id}: ${explain(status, reports)}`);
  const sum = (field) => reports.reduce((total, report) => total + report[field], 0);
  return { passed: sum("numPassedTests"), skipped: sum("numPendingTests") + sum("numTodoTests"), failures };
}

function explain(status, reports) {
  if (status === "not run") return "not run, because what it needs failed";
  if (reports.length === 0) return `${status}, without a report of its tests`;
  return `${status}, though no test failed: see its output above`;
}

function readReports(folder) {
  const reports = join(folder, ".reports");
  if (!existsSync(reports)) return [];
  const files = readdirSync(reports).filter((name) => name.endsWith(".json"));
  return files.map((name) => JSON.parse(readFileSync(join(reports, name), "utf8")));
}

/** A file that could not be loaded has no failed test, and has failed all the same. */
function failuresOf({ name, status, message, assertionResults }) {
  const file = relative(root, name);
  const failed = assertionResults.filter((test) => test.status === "failed");
  if (failed.length === 0 && status === "failed") return [`${file}: ${message.split("\n")[0]}`];
  return failed.map(({ fullName, failureMessages }) => `${file}: ${fullName}${reasonOf(failureMessages)}`);
}

/** Where only the end of the output is kept, this is all that is left of what happened. */
function reasonOf([first = ""]) {
  // What vitest writes of a test that ran out of time.
  const [line] = stripVTControlCharacters(first).replace("Error: STACK_TRACE_ERROR", "Test timed out").split("\n");
  return line === "" ? "" : ` (${line.slice(0, 300)})`;
}
