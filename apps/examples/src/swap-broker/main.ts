import { createClient, createWorker, silentLogger } from "@taskferry/core";
import * as handlers from "./handlers.ts";
import config from "./taskferry.config.ts";
import { remind, wordCount } from "./tasks.ts";

const worker = createWorker({ ...config, handlers: Object.values(handlers), logger: silentLogger });
await worker.start();
const client = await createClient(config);

const texts = ["the quick brown fox", "jumps over", "the lazy dog"];
const counted = await client.enqueueMany(
  wordCount,
  texts.map((text) => ({ text })),
);
for (const item of counted) {
  if (item.status === "refused") throw item.error;
  const { words, longest } = await item.handle.result({ timeout: "10s" });
  console.log(`${words} words, the longest is "${longest}"`);
}

const reminder = await client.enqueue(remind, { what: "water the plants" }, { delay: "200ms" });
console.log(await reminder.result({ timeout: "10s" }));

// The same id again, while the broker remembers it, is the same task.
const id = `count-${Date.now()}`;
await client.enqueue(wordCount, { text: "once" }, { id });
const again = await client.enqueue(wordCount, { text: "once and no more" }, { id });
console.log(`${(await again.result({ timeout: "10s" })).words} word`);

// Any process can ask for a task by its id.
console.log((await client.handle(wordCount, id).get()).status);

await client.close();
await worker.close();
