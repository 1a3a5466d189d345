import { createClient, createWorker, defineTask, silentLogger } from "@taskferry/core";
import { prometheus } from "@taskferry/prometheus";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/metrics.db" };
const halve = defineTask<number, number>("halve");
const onHalve = halve.handler((input) => {
  if (input % 2 === 1) throw new Error(`${input} is odd`);
  return input / 2;
});

const metrics = prometheus();
const worker = createWorker({ ...config, handlers: [onHalve], logger: silentLogger });
metrics.observeWorker(worker);
await worker.start();
const client = await createClient(config);
metrics.observeClient(client);
metrics.watchQueues(client.queues, ["default"]);

for (const input of [2, 4, 5]) await (await client.enqueue(halve, input)).outcome({ timeout: "10s" });
// Who waits is told first; once the worker has closed, everything is counted.
await worker.close();

const shown = /^taskferry_(tasks_total|tasks_enqueued|dead_letters|task_duration_seconds_count|queue_depth.*dead)/;
const text = await metrics.metrics();
console.log(
  text
    .split("\n")
    .filter((line) => shown.test(line))
    .sort()
    .join("\n"),
);

metrics.close();
await client.deadLetters.drop("default", "all");
await client.close();
