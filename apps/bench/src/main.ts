import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { runPlan, type Sample } from "./plan.ts";
import { toTable } from "./table.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    tasks: { type: "string", default: "50000" },
    "round-trips": { type: "string", default: "500" },
    backlog: { type: "string", default: "0" },
    only: { type: "string", multiple: true, default: [] },
  },
});

const options = {
  rounds: Number(values.rounds),
  tasks: Number(values.tasks),
  roundTrips: Number(values["round-trips"]),
  backlog: Number(values.backlog),
  only: values.only,
};
const loadBefore = loadavg()[0] ?? 0;
const samples = await runPlan(options, tell);
const heading = `${options.rounds} rounds, ${options.tasks} tasks of 200 bytes, concurrency 100, ${options.roundTrips} round trips, a backlog of ${options.backlog}; node ${process.version}, ${cpus().length} cores, load ${loadBefore.toFixed(2)} at the start`;
const table = toTable(samples);
console.log(`\n${heading}\n\n${table}`);
await mkdir(".results", { recursive: true });
const stamp = new Date().toISOString().replaceAll(/[:.]/g, "-");
await writeFile(`.results/${stamp}.md`, `${heading}\n\n${table}\n`);
await writeFile(`.results/${stamp}.json`, JSON.stringify({ heading, options, samples }));
console.log(`\nsaved to apps/bench/.results/${stamp}.md`);

function tell({ subject, phase, count, share, milliseconds }: Sample, round: number): void {
  console.log(
    `round ${round}  ${subject.padEnd(20)} ${phase.padEnd(12)} ${Math.round(((count * share) / milliseconds) * 1_000)}/s`,
  );
}
