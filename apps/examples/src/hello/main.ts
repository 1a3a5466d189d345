import { createClient, createWorker, defineTask } from "@taskferry/core";

// A task is a value that both sides import: a name and two types.
const greet = defineTask<{ name: string }, string>("greet");

// Its handler is another, for the worker alone.
const onGreet = greet.handler(async ({ name }) => `Hello, ${name}!`);

// One file on this machine; put a Redis URL here and nothing else changes.
const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/hello.db" };

// The worker takes tasks and runs them. In production it is a process of its own.
const worker = createWorker({ ...config, handlers: [onGreet] });
await worker.start();

// The client enqueues, and awaits what becomes of it.
const client = await createClient(config);
const handle = await client.enqueue(greet, { name: "world" });
console.log(await handle.result({ timeout: "10s" }));
await client.close();
await worker.close();
