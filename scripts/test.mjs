// `npm test`: everything that CI runs, from a fresh clone. What follows on the command line goes to turbo's test run.
import { bootstrap } from "./bootstrap.mjs";
import { figuresOf, removeReports } from "./reports.mjs";
import { prepareServers } from "./servers.mjs";
import { main, StepFailed, step } from "./steps.mjs";
import { checks, isFailure, printOutcomes, runTasks } from "./turbo.mjs";

await main(async () => {
  const { passed, skipped, failures } = await testAll(process.argv.slice(2)).catch(giveUp);
  for (const failure of failures) console.log(`FAILED  ${failure}`);
  console.log(`${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failures.length === 0 ? 0 : 1;
});

async function testAll(args) {
  const tools = await bootstrap();
  const servers = await step("servers and browser for the tests", () =>
    prepareServers(["redis", "rabbitmq", "nats", "chromium"], { laterNats: true }),
  );
  const env = { ...tools, ...servers };
  const checked = await step("build, lint, types, package checks, import rules, unused code", () =>
    runTasks(checks, { env, quiet: true, limitMinutes: 15 }),
  );
  printOutcomes(checked);
  removeReports();
  const tested = await step(
    "tests, of two packages at a time: they wait for servers and leases more than they compute",
    // Everything is built by now: compiling the sources again in each process would take half of the time.
    () =>
      runTasks(["test"], {
        env: { ...env, TASKFERRY_BUILT: "1" },
        args: ["--concurrency=2", ...args],
        limitMinutes: 50,
      }),
  );
  printOutcomes(tested);
  return total(checked, tested);
}

/** Every failed test counts as failed, and so does every other step that failed. */
function total(checked, tested) {
  const figures = tested.map(figuresOf);
  const steps = checked.filter(isFailure).map(({ id, status }) => `${id}: ${status}`);
  return {
    passed: figures.reduce((sum, { passed }) => sum + passed, 0),
    skipped: figures.reduce((sum, { skipped }) => sum + skipped, 0),
    failures: [...steps, ...figures.flatMap(({ failures }) => failures)],
  };
}

function giveUp(error) {
  if (!(error instanceof StepFailed)) console.error(error);
  return { passed: 0, skipped: 0, failures: [error.message] };
}
