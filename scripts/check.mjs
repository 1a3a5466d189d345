// `npm run check`: everything but the tests, so it needs no server.
import { bootstrap } from "./bootstrap.mjs";
import { main, step } from "./steps.mjs";
import { checks, isFailure, printOutcomes, runTasks } from "./turbo.mjs";

await main(async () => {
  const env = await bootstrap();
  const args = process.argv.slice(2);
  const outcomes = await step("build, lint, types, package checks, import rules, unused code", () =>
    runTasks(checks, { env, args, quiet: true }),
  );
  printOutcomes(outcomes);
  return outcomes.some(isFailure) ? 1 : 0;
});
