// What formats, protection and observation cost one task, from its enqueue to its result: client and worker over memory,
// each case in a process of its own, since the first to run decides what the compiler makes of the code.

import { execFileSync } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { cborSerializer } from "@taskferry/cbor";
import {
  aesKey,
  claimCheck,
  compressed,
  createClient,
  createWorker,
  defineTask,
  ed25519Key,
  encryption,
  hmacKey,
  jsonSerializer,
  memory,
  type Serializer,
  signatures,
  silentLogger,
  type Worker,
  type WorkerConfig,
} from "@taskferry/core";
import { msgpackSerializer } from "@taskferry/msgpack";
import { otel } from "@taskferry/otel";
import { prometheus } from "@taskferry/prometheus";
import { countdown } from "./subject.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    tasks: { type: "string", default: "5000" },
    only: { type: "string" },
  },
});
const rounds = Number(values.rounds);
const tasks = Number(values.tasks);

interface Payload {
  readonly user: number;
  readonly at: Date;
  readonly tags: readonly string[];
  readonly text: string;
}
const payload: Payload = { user: 41, at: new Date(0), tags: ["new", "paid"], text: "x".repeat(120) };
const rows = Array.from({ length: 100 }, (_, index) => ({ ...payload, user: index, text: `row ${index}` }));
const echo = defineTask<Payload, number>("echo");

interface Variant {
  readonly name: string;
  readonly config?: WorkerConfig;
  readonly prepare?: (worker: Worker) => void;
}

const hmac = hmacKey("k", randomBytes(32));
const { privateKey } = generateKeyPairSync("ed25519");
const variants: readonly Variant[] = [
  { name: "nothing" },
  { name: "msgpack", config: { serializer: msgpackSerializer() } },
  { name: "cbor", config: { serializer: cborSerializer() } },
  { name: "claim check, none large", config: { claimCheck: claimCheck() } },
  { name: "encryption", config: { encryption: encryption({ keys: [aesKey("k", randomBytes(32))] }) } },
  { name: "hmac, copies allowed", config: { signatures: signatures({ keys: [hmac], replays: "allowed" }) } },
  { name: "hmac, copies refused", config: { signatures: signatures({ keys: [hmac] }) } },
  {
    name: "ed25519, copies allowed",
    config: { signatures: signatures({ keys: [ed25519Key("k", { privateKey })], replays: "allowed" }) },
  },
  { name: "otel without an SDK", config: { middlewares: [otel()] } },
  { name: "prometheus", prepare: (worker) => void prometheus().observeWorker(worker) },
];

const only = variants.find(({ name }) => name === values.only);
if (only === undefined) compareAll();
else {
  console.log(await measureBest(only));
  // Histograms of event loops keep no process alive, but a registry of metrics may.
  process.exit(0);
}

function compareAll(): void {
  console.log("microseconds to write and to read, the best of 20 rounds, and bytes\n");
  const formats = [jsonSerializer(), msgpackSerializer(), cborSerializer()];
  for (const serializer of formats) showFormat(serializer.contentType, serializer, payload);
  for (const serializer of [...formats, compressed(jsonSerializer())])
    showFormat(`${serializer.contentType}, 100 rows`, serializer, rows);
  console.log(`\nmicroseconds of processor time for one task, the best of ${rounds} rounds of ${tasks} tasks\n`);
  const costs = variants.map(({ name }) => {
    const own = [...process.execArgv, ...process.argv.slice(1), "--only", name];
    return { name, cost: Number(execFileSync(process.execPath, own, { encoding: "utf8" })) };
  });
  const base = costs[0]?.cost ?? 0;
  for (const { name, cost } of costs)
    console.log(`${name.padEnd(28)} ${cost.toFixed(2).padStart(7)}  ${(cost - base).toFixed(2).padStart(7)} more`);
}

function showFormat(name: string, serializer: Serializer, value: unknown): void {
  const bytes = serializer.serialize(value);
  const [write, read] = [time(() => serializer.serialize(value)), time(() => serializer.deserialize(bytes))];
  console.log(
    `${name.padEnd(38)} ${write.toFixed(2).padStart(8)} ${read.toFixed(2).padStart(8)} ${String(bytes.length).padStart(7)}`,
  );
}

function time(run: () => unknown): number {
  const times = 500;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round += 1) {
    const began = performance.now();
    for (let turn = 0; turn < times; turn += 1) run();
    best = Math.min(best, ((performance.now() - began) * 1_000) / times);
  }
  return best;
}

async function measureBest(variant: Variant): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) best = Math.min(best, await measure(variant));
  return best;
}

async function measure({ config = {}, prepare }: Variant): Promise<number> {
  const broker = memory();
  const inputs = Array.from({ length: tasks }, () => payload);
  const { done, tick } = countdown({ count: tasks });
  const handler = echo.handler(async ({ user }) => {
    tick();
    return user;
  });
  const queues = { default: { concurrency: 100 } };
  const client = await createClient({ ...config, broker });
  const worker = createWorker({ ...config, broker, handlers: [handler], queues, logger: silentLogger });
  prepare?.(worker);
  const before = process.cpuUsage();
  await client.enqueueMany(echo, inputs);
  await worker.start();
  await done;
  await worker.stop();
  const { user, system } = process.cpuUsage(before);
  await client.close();
  return (user + system) / tasks;
}
