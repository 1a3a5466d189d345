// `npm run soak`: whole systems under faults for some minutes, on every broker that other processes can reach. What
// follows on the command line goes to vitest: `npm run soak -- -t crash`.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { bootstrap } from "./bootstrap.mjs";
import { prepareServers } from "./servers.mjs";
import { main, root, run, StepFailed, step } from "./steps.mjs";
import { workspace } from "./workspace.mjs";

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const suite = /^(?:\w+-)?faults\.test\.ts$/;

await main(async () => {
  const tools = await bootstrap();
  const servers = await step("servers", () => prepareServers(["redis", "rabbitmq", "nats"]));
  const env = { ...tools, ...servers, TASKFERRY_SOAK: "1" };
  const failed = [];
  for (const { name, folder, files } of tried()) {
    // The reporter is named so that the figures of `npm test` are left alone.
    const args = [vitest, "run", ...files, "--reporter=verbose", ...process.argv.slice(2)];
    const { code } = await step(name, () => run(process.execPath, args, { env, cwd: folder, limitMinutes: 60 }));
    if (code !== 0) failed.push(name);
  }
  if (failed.length > 0) throw new StepFailed(`did not hold: ${failed.join(", ")}`);
  return 0;
});

/** The packages of brokers, each with the files of its fault suites. */
function tried() {
  return workspace()
    .filter(({ name }) => name !== "@taskferry/testing")
    .map((each) => ({ ...each, files: suitesIn(join(each.folder, "test")) }))
    .filter(({ files }) => files.length > 0);
}

function suitesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => suite.test(file))
    .map((file) => join("test", file));
}
