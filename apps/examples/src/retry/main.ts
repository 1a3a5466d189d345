import { createClient, createWorker, defineTask, isTaskferryError, RetryLater, silentLogger } from "@taskferry/core";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/retry.db" };
const backoff = { from: "10ms", to: "100ms" };

// Three executions may fail before it is given up.
const flaky = defineTask<{ failures: number }, string>("flaky", { retry: { attempts: 3, backoff } });
const onFlaky = flaky.handler(async ({ failures }, { attempt }) => {
  if (attempt < failures) throw new Error(`attempt ${attempt + 1} failed`);
  return `succeeded after ${attempt} failures`;
});

// "Not yet" is no failure: it counts no attempt.
const asked = { times: 0 };
const waiting = defineTask<void, string>("waiting");
const onWaiting = waiting.handler(async () => {
  asked.times += 1;
  if (asked.times < 3) throw new RetryLater("10ms");
  return `ready when asked for the ${asked.times}rd time`;
});

const worker = createWorker({ ...config, handlers: [onFlaky, onWaiting], logger: silentLogger });
await worker.start();
const client = await createClient(config);

console.log(await (await client.enqueue(flaky, { failures: 2 })).result({ timeout: "10s" }));
console.log(await (await client.enqueue(waiting)).result({ timeout: "10s" }));

// What fails for good is told to who waits, and kept in the dead letters.
const doomed = await client.enqueue(flaky, { failures: 99 });
try {
  await doomed.result({ timeout: "10s" });
} catch (error) {
  if (!isTaskferryError(error, "TASK_FAILED")) throw error;
  console.log(`failed: ${(error.cause as Error).message}`);
}

// Who waits is told first; once the worker has closed, everything is settled.
await worker.close();
const [letter] = (await client.deadLetters.list("default")).entries;
console.log(`in the dead letters: ${letter?.reason?.message}`);
await client.deadLetters.drop("default", "all");

await client.close();
