import { setTimeout as wait } from "node:timers/promises";
import { createClient, createWorker, defineTask, silentLogger } from "@taskferry/core";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/limits.db" };

// For each user two at a time, over all workers.
const sync = defineTask<{ user: string; page: number }>("sync", {
  limit: { key: ({ user }) => user, concurrency: 2 },
});
const now = new Map<string, number>();
const most = new Map<string, number>();
const count = (user: string, by: number): void => {
  now.set(user, (now.get(user) ?? 0) + by);
  most.set(user, Math.max(most.get(user) ?? 0, now.get(user) ?? 0));
};
const onSync = sync.handler(async ({ user }) => {
  count(user, 1);
  await wait(20);
  count(user, -1);
});

// One that has not started is enough: it will see everything that changed before.
const rebuild = defineTask<{ site: string }>("rebuild", { unique: { key: ({ site }) => site, until: "started" } });
const onRebuild = rebuild.handler(() => undefined);

const client = await createClient(config);
const pages = ["ada", "bob"].flatMap((user) => Array.from({ length: 6 }, (_, page) => ({ user, page })));
const syncs = await client.enqueueMany(sync, pages);
const first = await client.enqueue(rebuild, { site: "shop" });
const second = await client.enqueue(rebuild, { site: "shop" });
console.log(`the second rebuild is ${second.id === first.id ? "the first" : "another"}`);

const worker = createWorker({ ...config, handlers: [onSync, onRebuild], logger: silentLogger });
await worker.start();
for (const answer of syncs) if (answer.status !== "refused") await answer.handle.result({ timeout: "20s" });
await second.result({ timeout: "20s" });
for (const [user, together] of [...most].toSorted()) console.log(`${user}: at most ${together} at once`);

await worker.close();
await client.close();
