// What a middleware, a provider and an event listener cost one task: workers over memory, each case in a process of its
// own, since the first to run decides what the compiler makes of the code.

import { AsyncLocalStorage } from "node:async_hooks";
import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import {
  createClient,
  createWorker,
  defineTask,
  type Handler,
  logging,
  type Middleware,
  memory,
  provideValue,
  silentLogger,
  type Worker,
} from "@taskferry/core";
import { countdown } from "./subject.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "40" },
    tasks: { type: "string", default: "5000" },
    only: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const tasks = Number(values.tasks);

const noop = defineTask<number, number>("noop");
const value = provideValue("value", 1);
const storage = new AsyncLocalStorage<string>();
const empty: Middleware = { name: "empty", execute: (_, next) => next() };
const scoped: Middleware = { name: "scoped", execute: ({ message }, next) => storage.run(message.id, next) };

interface Variant {
  readonly name: string;
  readonly middlewares?: readonly Middleware[];
  readonly makeHandler?: (tick: () => void) => Handler;
  readonly prepare?: (worker: Worker) => void;
}

const plain = (tick: () => void): Handler =>
  noop.handler(async (input) => {
    tick();
    return input;
  });

const variants: readonly Variant[] = [
  { name: "nothing" },
  { name: "an empty middleware", middlewares: [empty] },
  { name: "ten empty middlewares", middlewares: Array.from({ length: 10 }, () => empty) },
  { name: "one with AsyncLocalStorage", middlewares: [scoped] },
  { name: "logging, its lines dropped", middlewares: [logging({ logger: silentLogger })] },
  {
    name: "a provider of the worker",
    makeHandler: (tick) =>
      noop.handler({ value }, async (input, context) => {
        tick();
        return input * context.value;
      }),
  },
  { name: "a listener of events", prepare: (worker) => void worker.on(() => undefined) },
];

const only = variants.find(({ name }) => name === values.only);
if (only === undefined) compareAll();
else console.log(await measureBest(only));

function compareAll(): void {
  const costs = variants.map(({ name }) => {
    const own = [...process.execArgv, ...process.argv.slice(1), "--only", name];
    return { name, cost: Number(execFileSync(process.execPath, own, { encoding: "utf8" })) };
  });
  const base = costs[0]?.cost ?? 0;
  console.log(`microseconds of processor time for one task, the best of ${rounds} rounds of ${tasks} tasks\n`);
  for (const { name, cost } of costs)
    console.log(`${name.padEnd(28)} ${cost.toFixed(2).padStart(6)}  ${(cost - base).toFixed(2).padStart(6)} more`);
}

async function measureBest(variant: Variant): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) best = Math.min(best, await measure(variant));
  return best;
}

async function measure({ middlewares = [], makeHandler = plain, prepare }: Variant): Promise<number> {
  const broker = memory();
  const client = await createClient({ broker });
  await client.enqueueMany(
    noop,
    Array.from({ length: tasks }, (_, index) => index),
  );
  const { done, tick } = countdown({ count: tasks });
  const queues = { default: { concurrency: 100 } };
  const worker = createWorker({ broker, handlers: [makeHandler(tick)], middlewares, queues, logger: silentLogger });
  prepare?.(worker);
  const before = process.cpuUsage();
  await worker.start();
  await done;
  await worker.stop();
  const { user, system } = process.cpuUsage(before);
  await client.close();
  return (user + system) / tasks;
}
