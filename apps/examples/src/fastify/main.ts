// A web application: a route that enqueues, the task's address, its progress, its result, and work after the answer.

import { createWorker, defineTask, memory, silentLogger } from "@taskferry/core";
import { taskferry } from "@taskferry/fastify";
import Fastify from "fastify";

const count = defineTask<{ words: string }, number>("count");
const onCount = count.handler(({ words }, { progress }) => {
  progress(1, "counted");
  return words.split(" ").length;
});

const broker = memory();
const worker = createWorker({ broker, handlers: [onCount], logger: silentLogger });
await worker.start();

const app = Fastify();
await app.register(taskferry, {
  config: { broker },
  // The ids of tasks begin with the user who enqueued them.
  routes: { authorize: ({ headers }, { id }) => id.startsWith(`${headers["x-user"]}:`) },
});
const notes: string[] = [];
app.post<{ Body: { words: string } }>("/count", async ({ tasks, body, headers }, reply) => {
  await tasks.background(() => notes.push("after the answer: somebody counted"));
  notes.push("before it: nothing");
  return reply.accepted(await tasks.enqueue(count, body, { id: `${headers["x-user"]}:1` }));
});
const url = await app.listen({ port: 0, host: "127.0.0.1" });

const body = JSON.stringify({ words: "one two three" });
const headers = { "x-user": "ada", "content-type": "application/json" };
const accepted = await fetch(`${url}/count`, { method: "POST", body, headers });
const location = accepted.headers.get("location");
console.log(accepted.status, location);

const events = await (await fetch(`${url}${location}/events`, { headers: { "x-user": "ada" } })).text();
console.log("events:", events.match(/(?<=^event: ).+$/gm)?.join(", "));
const shown = (await (await fetch(`${url}${location}`, { headers: { "x-user": "ada" } })).json()) as { result: number };
console.log("result:", shown.result);
console.log("for bob:", (await fetch(`${url}${location}`, { headers: { "x-user": "bob" } })).status);

await app.close(); // what is in the background ends first
console.log(notes.join("\n"));
await worker.stop();
