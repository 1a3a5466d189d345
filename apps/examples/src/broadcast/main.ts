import { once } from "node:events";
import { createClient, createWorker, defineTask, silentLogger } from "@taskferry/core";

// A URL of a broker that can deliver to every worker; memory: needs no server.
const config = { broker: process.env["TASKFERRY_BROKER"] ?? "memory:" };

// Every worker that has a handler runs it. Nothing is kept for a worker that is away.
const forget = defineTask<{ key: string }>("cache.forget", { broadcast: true });

// Two workers with a cache each, as two machines would have.
const heard = new EventTarget();
const caches = [new Map([["cat", "meow"]]), new Map([["cat", "purr"]])];
const workers = caches.map((cache) =>
  createWorker({
    ...config,
    handlers: [
      forget.handler(({ key }) => {
        cache.delete(key);
        heard.dispatchEvent(new Event(String(caches.indexOf(cache))));
      }),
    ],
    logger: silentLogger,
  }),
);
for (const worker of workers) await worker.start();
const client = await createClient(config);

const all = Promise.all(caches.map((_, index) => once(heard, String(index))));
const handle = await client.enqueue(forget, { key: "cat" });
await all;
console.log(caches.map((cache) => `${cache.size} entries`).join(", "));

// One execution in each worker has no single outcome: the handle has an id and the task's name.
console.log(Object.keys(handle).join(", "));

await client.close();
for (const worker of workers) await worker.close();
