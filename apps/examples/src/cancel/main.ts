import { setTimeout as wait } from "node:timers/promises";
import { createClient, createWorker, defineTask, silentLogger, TaskCancelledError } from "@taskferry/core";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/cancel.db" };

const report = defineTask<{ pages: number }, string>("report", { queue: "reports" });
let printed: () => void = () => undefined;
const firstPage = new Promise<void>((resolve) => {
  printed = resolve;
});
const onReport = report.handler(async ({ pages }, { signal }) => {
  for (let page = 1; page <= pages; page += 1) {
    // Whatever takes a signal ends with it.
    await wait(10, undefined, { signal });
    printed();
  }
  return `${pages} pages`;
});

const client = await createClient(config);

// What waits never starts. Who waits for it is told at once, though no worker runs.
const early = await client.enqueue(report, { pages: 3 }, { delay: "1h" });
await early.cancel("nobody asked for it");
const outcome = await early.outcome({ timeout: "10s" });
console.log(outcome.status, "-", outcome.status === "cancelled" ? outcome.reason : "");

const worker = createWorker({ ...config, handlers: [onReport], logger: silentLogger });
await worker.start();

// What runs, in whatever process, sees its signal abort.
const long = await client.enqueue(report, { pages: 1_000_000 });
await firstPage;
await long.cancel("too long");
try {
  await long.result({ timeout: "10s" });
} catch (error) {
  if (!(error instanceof TaskCancelledError)) throw error;
  console.log(`${error.code}: ${error.reason}`);
}

// What has ended stays as it is.
const short = await client.enqueue(report, { pages: 2 });
console.log(await short.result({ timeout: "10s" }));
console.log(await short.cancel());
console.log((await short.get()).status);

await worker.close();
await client.close();
