import {
  chain,
  chord,
  createClient,
  createWorker,
  defineTask,
  type GroupResults,
  group,
  map,
  silentLogger,
  step,
} from "@taskferry/core";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/workflow.db" };

const split = defineTask<string, string[]>("text.split");
const measure = defineTask<string, number>("text.measure");
const shout = defineTask<string, string>("text.shout");
const add = defineTask<GroupResults<readonly number[]>, number>("numbers.add");
const join = defineTask<readonly [string, number], string>("text.join");
const guess = defineTask<string, number>("text.guess");

const worker = createWorker({
  ...config,
  logger: silentLogger,
  handlers: [
    split.handler((text) => text.split(" ")),
    measure.handler((word) => word.length),
    shout.handler((text) => text.toUpperCase()),
    add.handler(async (numbers) => {
      let total = 0;
      for await (const number of numbers) total += number;
      return total;
    }),
    join.handler(([text, length]) => `${text}: ${length} letters`),
    guess.handler(() => {
      throw new Error("no idea");
    }),
  ],
});
await worker.start();
const client = await createClient(config);

// One after the other. A wrong link would not compile.
const letters = chain(split, chord(map(measure), add));
console.log(await (await client.enqueue(letters, "a fine day")).result({ timeout: "20s" }));

// Both at once, each with the same text; then one task that gets both results.
const report = await client.enqueue(chain(group([shout, letters]), join), "hello there");
console.log(await report.result({ timeout: "20s" }));
console.log((await report.tree()).members.map(({ kind, status }) => `${kind} ${status}`).join(", "));

// A step may have something to fall back on.
const safe = chain(shout, step(guess, { fallback: measure }));
console.log(await (await client.enqueue(safe, "abc")).result({ timeout: "20s" }));

// The first failure of a group ends it; "collect" passes all outcomes on.
const collected = await client.enqueue(group([measure, guess], { onFailure: "collect" }), "four");
console.log((await collected.result({ timeout: "20s" })).map(({ status }) => status).join(", "));

await client.close();
await worker.close();
