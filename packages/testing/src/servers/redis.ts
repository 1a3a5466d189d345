import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duration } from "@taskferry/core";
import { requireServer } from "./find-servers.ts";
import type { PrivateServer } from "./private-server.ts";
import { converseWithRedis, type RedisConversation, readFacts } from "./redis-conversation.ts";
import { type ServerPlace, spawnServer } from "./spawn-server.ts";

/** How a private Redis is set up. Without options it keeps everything in memory and writes nothing to disk. */
export interface RedisOptions {
  /** Writes each change to an append-only file, and says when that reaches the disk. Default: no file. */
  readonly appendOnly?: "always" | "everysec" | "no";
  /** The most memory it may use, in its own notation (`"64mb"`), and what it does when that is full. */
  readonly maxMemory?: { readonly bytes: string; readonly policy: RedisMemoryPolicy };
  /** Asked of every client; part of the `url`. Default: none. */
  readonly password?: string;
  /** Runs it as a cluster of one node that has all 16384 slots; each start takes 2 seconds. Default: false. */
  readonly cluster?: boolean;
  /** Makes it a copy of that server. It is ready once it is in step with it. */
  readonly replicaOf?: { readonly host: string; readonly port: number; readonly password?: string };
  /** More lines of redis.conf, after those that come from the options above. */
  readonly config?: readonly string[];
  /** More arguments of the command line, after the configuration file: `["--loglevel", "debug"]`. */
  readonly args?: readonly string[];
  /** The longest time from start to the first answer. Default: 15 seconds. */
  readonly startTimeout?: Duration;
}

export type RedisMemoryPolicy =
  | "allkeys-lfu"
  | "allkeys-lru"
  | "allkeys-random"
  | "noeviction"
  | "volatile-lfu"
  | "volatile-lru"
  | "volatile-random"
  | "volatile-ttl";

/**
 * Starts a private `redis-server`, the one on the PATH.
 *
 * @throws `SERVER_MISSING` when there is none, `SERVER_NOT_READY` with its output when it does not come up.
 */
export async function startRedis(options: RedisOptions = {}): Promise<PrivateServer> {
  const { password } = options;
  return await spawnServer({
    name: "redis",
    command: await requireServer("redis"),
    args: (place) => [configurationPath(place), ...(options.args ?? [])],
    url: ({ host, port }) =>
      `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}${host}:${port}`,
    prepare: (place) => writeConfiguration(place, options),
    ready: async ({ host, port, pid, signal }) => {
      using redis = await converseWithRedis({ host, port, password, signal });
      await checkThatItServes(redis, { pid, options });
    },
    portTaken: /Address already in use/i,
    startTimeout: options.startTimeout,
  });
}

function configurationPath({ directory }: ServerPlace): string {
  return join(directory, "redis.conf");
}

async function writeConfiguration(place: ServerPlace, options: RedisOptions): Promise<void> {
  const path = configurationPath(place);
  await writeFile(path, `${configurationLines(place, options).join("\n")}\n`, { mode: 0o600 });
}

function configurationLines({ host, port, directory }: ServerPlace, options: RedisOptions): readonly string[] {
  const { appendOnly, maxMemory, password, replicaOf } = options;
  return [
    `bind ${host}`,
    `port ${port}`,
    `dir ${JSON.stringify(directory)}`,
    "daemonize no",
    'save ""',
    // The copy to a replica starts at once; by default it waits 5 seconds for more replicas to come.
    "repl-diskless-sync-delay 0",
    ...(appendOnly ? ["appendonly yes", `appendfsync ${appendOnly}`] : ["appendonly no"]),
    ...(maxMemory ? [`maxmemory ${maxMemory.bytes}`, `maxmemory-policy ${maxMemory.policy}`] : []),
    ...(password === undefined ? [] : [`requirepass ${JSON.stringify(password)}`]),
    ...(options.cluster ? ["cluster-enabled yes", `cluster-announce-ip ${host}`] : []),
    ...(replicaOf ? [`replicaof ${replicaOf.host} ${replicaOf.port}`] : []),
    ...(replicaOf?.password === undefined ? [] : [`masterauth ${JSON.stringify(replicaOf.password)}`]),
    ...(options.config ?? []),
  ];
}

async function checkThatItServes(
  redis: RedisConversation,
  { pid, options }: { pid: number; options: RedisOptions },
): Promise<void> {
  await redis.ask("PING");
  const { process_id: answering } = await readFacts(redis, ["INFO", "server"]);
  if (answering !== String(pid))
    throw new Error(`Expected process ${pid} on the port, got an answer of process ${answering}.`);
  if (options.cluster) await checkSlots(redis);
  if (options.replicaOf) await checkReplication(redis);
}

async function checkSlots(redis: RedisConversation): Promise<void> {
  const { cluster_state: state, cluster_slots_assigned: assigned } = await readFacts(redis, ["CLUSTER", "INFO"]);
  if (assigned === "0") {
    await redis.ask("CLUSTER", "ADDSLOTS", ...Array.from({ length: 16_384 }, (_, slot) => String(slot)));
  }
  if (state !== "ok") throw new Error(`Expected the cluster's state to be ok, got ${state}.`);
}

async function checkReplication(redis: RedisConversation): Promise<void> {
  const { master_link_status: link } = await readFacts(redis, ["INFO", "replication"]);
  if (link !== "up") throw new Error(`Expected the link to the server it copies to be up, got ${link}.`);
}
