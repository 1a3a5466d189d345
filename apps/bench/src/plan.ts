import { fork } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRabbitmq, startRedis } from "@taskferry/testing";
import { Redis } from "ioredis";
import type { Measurement, Order, PhaseName } from "./measure.ts";
import { type Medium as MediumName, subjects } from "./subjects.ts";

export interface PlanOptions {
  readonly rounds: number;
  /** Tasks of a throughput phase, and round trips of a latency phase. */
  readonly tasks: number;
  readonly roundTrips: number;
  /** Tasks that wait besides while `process` is measured. */
  readonly backlog: number;
  readonly only: readonly string[];
}

export interface Sample extends Measurement {
  readonly subject: string;
  readonly phase: PhaseName;
  readonly count: number;
  /** CPU of the server meanwhile; `undefined` without one. */
  readonly serverCpuMilliseconds: number | undefined;
}

const payload = { text: "x".repeat(188) };
const phases: readonly PhaseName[] = ["enqueueOne", "enqueueMany", "process", "roundTrip"];

/** Runs all phases of all subjects in turn, round by round, so that a noisy moment hits no subject alone. */
export async function runPlan(
  { rounds, tasks, roundTrips, backlog, only }: PlanOptions,
  onSample: (sample: Sample, round: number) => void,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of Object.keys(subjects).filter((subject) => only.length === 0 || only.includes(subject))) {
      const medium = await openMedium(subjects[name]?.medium);
      for (const phase of phases.filter((phase) => subjects[name]?.subject[phase] !== undefined)) {
        const count = phase === "roundTrip" ? roundTrips : tasks;
        // What `process` runs is what `enqueueMany` has just enqueued; every other phase starts from nothing.
        if (phase !== "process") await medium.clear();
        const setting = { url: medium.url, count, inFlight: 1_000, concurrency: 100, payload };
        if (phase === "process" && backlog > 0) {
          await measureApart({ subject: name, phase: "enqueueMany", setting: { ...setting, count: backlog } });
        }
        const before = await medium.serverCpu();
        const measurement = await measureApart({ subject: name, phase, setting });
        const after = await medium.serverCpu();
        const serverCpuMilliseconds = before === undefined || after === undefined ? undefined : after - before;
        const sample = { subject: name, phase, count, ...measurement, serverCpuMilliseconds };
        samples.push(sample);
        onSample(sample, round);
      }
      await medium.close();
    }
  }
  return samples;
}

interface Medium {
  readonly url: string;
  readonly clear: () => Promise<void>;
  readonly serverCpu: () => Promise<number | undefined>;
  readonly close: () => Promise<void>;
}

async function openMedium(kind: MediumName | undefined): Promise<Medium> {
  if (kind === "rabbitmq") return openRabbitmq();
  if (kind === "redis") return openRedis();
  if (kind === "sqlite") return openSqlite();
  return {
    url: "memory:",
    clear: async () => undefined,
    serverCpu: async () => undefined,
    close: async () => undefined,
  };
}

async function openRedis(): Promise<Medium> {
  const server = await startRedis();
  const redis = new Redis(server.url);
  const serverCpu = async (): Promise<number> => {
    const info = await redis.info("cpu");
    const seconds = ["used_cpu_sys", "used_cpu_user"].map((field) =>
      Number(new RegExp(`^${field}:([\\d.]+)`, "m").exec(info)?.[1] ?? 0),
    );
    return seconds.reduce((sum, part) => sum + part * 1_000, 0);
  };
  const close = async (): Promise<void> => {
    redis.disconnect();
    await server[Symbol.asyncDispose]();
  };
  return { url: server.url, clear: async () => void (await redis.flushall()), serverCpu, close };
}

/** Each phase that starts from nothing gets a virtual host of its own. */
async function openRabbitmq(): Promise<Medium> {
  const server = await startRabbitmq();
  let hosts = 0;
  const clear = async (): Promise<void> => {
    hosts += 1;
    await server.control("add_vhost", `bench${hosts}`);
    await server.control("set_permissions", "-p", `bench${hosts}`, "guest", ".*", ".*", ".*");
  };
  return {
    get url() {
      return `${server.url}/bench${hosts}`;
    },
    clear,
    serverCpu: () => cpuOf(server.pid),
    close: () => server[Symbol.asyncDispose](),
  };
}

/** Milliseconds that a process has used, where the system tells by /proc. */
async function cpuOf(pid: number | undefined): Promise<number | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [user, system] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10;
  } catch {
    return undefined;
  }
}

async function openSqlite(): Promise<Medium> {
  const folder = await mkdtemp(join(tmpdir(), "taskferry-bench-"));
  const clear = async (): Promise<void> => {
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `sqlite:${join(folder, "queue.db")}`, clear, serverCpu: async () => undefined, close: clear };
}

function measureApart(order: Order): Promise<Measurement> {
  const child = fork(fileURLToPath(new URL("./measuring-process.js", import.meta.url)), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.send(order);
  return new Promise((resolve, reject) => {
    child.once("message", ({ measurement, error }: { readonly measurement?: Measurement; readonly error?: string }) =>
      measurement === undefined
        ? reject(new Error(`${order.subject}, ${order.phase}: ${error}`))
        : resolve(measurement),
    );
    child.once("exit", (code, signal) =>
      reject(
        new Error(
          `${order.subject}, ${order.phase}: the measuring process ended with ${signal ?? code} and without an answer`,
        ),
      ),
    );
  });
}
