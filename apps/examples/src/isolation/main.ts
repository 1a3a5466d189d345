import { createClient, createWorker, memory, silentLogger } from "@taskferry/core";
import { primes, spin } from "./tasks.ts";

const broker = memory();
const worker = createWorker({
  broker,
  logger: silentLogger,
  handlers: [new URL("./handlers.js", import.meta.url)],
  isolation: { threads: 2, maxMemory: "128mb" },
});
await worker.start();
const client = await createClient({ broker });

const endless = await client.enqueue(spin);
const counted = await client.enqueue(primes, { below: 100_000 });
console.log(`primes below 100,000: ${await counted.result()}`);

const outcome = await endless.outcome();
console.log(`the endless loop: ${outcome.status}, ${outcome.status === "failed" ? outcome.error.code : ""}`);

await client.close();
await worker.stop();
