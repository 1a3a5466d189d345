import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { connect } from "@nats-io/transport-node";
import { startNats, startRabbitmq, startRedis } from "@taskferry/testing";
import { Redis } from "ioredis";
import type { Medium as MediumName } from "./subjects.ts";

/** A server, or a folder, that is empty at first. */
export interface Medium {
  readonly url: string;
  readonly clear: () => Promise<void>;
  readonly serverCpu: () => Promise<number | undefined>;
  readonly close: () => Promise<void>;
}

/** Starts what a subject runs on. */
export async function openMedium(kind: MediumName | undefined): Promise<Medium> {
  if (kind === "rabbitmq") return openRabbitmq();
  if (kind === "redis") return openRedis();
  if (kind === "nats") return openNats();
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

async function openNats(): Promise<Medium> {
  const server = await startNats();
  // What a server stored in its first seconds may have been delivered before, as far as anybody knows: it is looked up.
  await wait(6_000);
  const connection = await connect({ servers: `${server.host}:${server.port}` });
  const clear = async (): Promise<void> => {
    const { streams } = (await connection.request("$JS.API.STREAM.NAMES")).json<{
      readonly streams: string[] | null;
    }>();
    for (const stream of streams ?? []) await connection.request(`$JS.API.STREAM.DELETE.${stream}`);
  };
  const close = async (): Promise<void> => {
    await connection.close();
    await server[Symbol.asyncDispose]();
  };
  return { url: server.url, clear, serverCpu: () => cpuOf(server.pid), close };
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
