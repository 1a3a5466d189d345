import { createClient, createScheduler, createWorker, defineSchedule, defineTask, silentLogger } from "@taskferry/core";

const config = { broker: process.env["TASKFERRY_BROKER"] ?? "sqlite:.taskferry/schedule.db", logger: silentLogger };

const report = defineTask<{ of: string }, string>("report");
let told: (line: string) => void = () => undefined;
const ticked = new Promise<string>((resolve) => {
  told = resolve;
});
const onReport = report.handler(({ of }, { headers }) => {
  if (headers["schedule"] === "tick")
    told(`${headers["schedule"]} fired on the second: ${headers["schedule-time"]?.endsWith(".000Z")}`);
  return `report of the ${of}`;
});

// In code: fired by every scheduler that has it, and yet once.
const tick = defineSchedule("tick", { every: "1s" }, report, { of: "second" });
const schedulers = [
  createScheduler({ ...config, schedules: [tick] }),
  createScheduler({ ...config, schedules: [tick] }),
];
for (const scheduler of schedulers) await scheduler.start();

const worker = createWorker({ ...config, handlers: [onReport] });
await worker.start();
console.log(await ticked);

// At run time, by a client.
const client = await createClient(config);
const nightly = { cron: "30 2 * * *", timeZone: "Europe/Berlin", from: new Date("2027-03-27T00:00:00Z") };
await client.schedules.create(defineSchedule("nightly", nightly, report, { of: "night" }));
// At 02:30, but on the day on which 02:30 is skipped: at the shift.
for (const time of await client.schedules.upcoming("nightly", 3)) console.log(time.toISOString());

const handle = await client.schedules.trigger("nightly");
console.log(await client.handle(report, handle.id).result({ timeout: "10s" }));
console.log((await client.schedules.list()).map(({ id, source }) => `${id} of ${source}`).join(", "));

for (const scheduler of schedulers) await scheduler.close();
await worker.close();
await client.close();
