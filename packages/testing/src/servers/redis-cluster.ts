import { type ClusterNode, hasSlot, readClusterNodes } from "./cluster-nodes.ts";
import type { PrivateServer } from "./private-server.ts";
import { startRedis } from "./redis.ts";
import { converseWithRedis, type RedisConversation, readFacts } from "./redis-conversation.ts";
import { replicationUpTo } from "./redis-replication.ts";
import { untilTrue } from "./until-true.ts";

export interface RedisClusterOptions {
  /** Writes each change to an append-only file. Default: nothing is written to disk. */
  readonly appendOnly?: "always" | "everysec" | "no";
  /** Milliseconds of silence after which the others hold a node for dead. Default: 1,000. */
  readonly nodeTimeout?: number;
}

/**
 * A cluster of three masters with a replica each, and what operators and crashes do to it. Every call resolves once the
 * cluster serves as it should after it.
 */
export interface RedisCluster extends AsyncDisposable {
  /** All six. A client finds the others by any of them. */
  readonly nodes: readonly PrivateServer[];

  /** The node that serves a key now. */
  masterOf(key: string): Promise<PrivateServer>;

  /** Resolves once the replica has all that the key's master had when this was called. */
  replicated(key: string): Promise<void>;

  /** Has the replica of the key's master take over in good order, by `CLUSTER FAILOVER`: nothing is lost by that. */
  failOver(key: string): Promise<void>;

  /** Kills the key's master and waits for its replica to take over. Answers the one that was killed. */
  killMaster(key: string): Promise<PrivateServer>;

  /** Moves the key's slot to another master. `halfway` is called when some of its keys have moved and some have not. */
  moveSlot(key: string, halfway?: () => Promise<void>): Promise<void>;
}

const masters = 3;
const slots = 16_384;

/**
 * Starts six private `redis-server`s as one cluster.
 *
 * @throws `SERVER_MISSING`, `SERVER_NOT_READY`.
 */
export async function startRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const started = await Promise.allSettled(Array.from({ length: 2 * masters }, () => startNode(options)));
  const nodes = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const cluster = new SpawnedCluster(nodes);
  try {
    for (const result of started) if (result.status === "rejected") throw result.reason;
    await cluster.join();
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

function startNode({ appendOnly, nodeTimeout = 1_000 }: RedisClusterOptions): Promise<PrivateServer> {
  return startRedis({
    ...(appendOnly !== undefined && { appendOnly }),
    config: ["cluster-enabled yes", "cluster-announce-ip 127.0.0.1", `cluster-node-timeout ${nodeTimeout}`],
  });
}

class SpawnedCluster implements RedisCluster {
  readonly nodes: readonly PrivateServer[];

  constructor(nodes: readonly PrivateServer[]) {
    this.nodes = nodes;
  }

  /** Makes a cluster of nodes that know nothing of each other. */
  async join(): Promise<void> {
    const [first] = this.nodes;
    for (const [index, node] of this.nodes.entries()) {
      using redis = await converseWithRedis(node);
      await redis.ask("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
      if (index < masters) await redis.ask("CLUSTER", "ADDSLOTS", ...slotsOf(index));
      if (index > 0) await redis.ask("CLUSTER", "MEET", "127.0.0.1", String(first?.port));
    }
    await this.#everywhere("all nodes to know each other", async (redis) => {
      const known = await readClusterNodes(redis);
      return known.length === this.nodes.length && known.every(({ isSound }) => isSound);
    });
    for (const [index, node] of this.nodes.slice(masters).entries()) {
      const master = await ask(this.nodes[index] as PrivateServer, "CLUSTER", "MYID");
      await ask(node, "CLUSTER", "REPLICATE", String(master));
    }
    await this.#settled();
  }

  async masterOf(key: string): Promise<PrivateServer> {
    return (await this.#look(key)).master;
  }

  async replicated(key: string): Promise<void> {
    const { master, replica } = await this.#look(key);
    await replicationUpTo(master, replica());
  }

  async failOver(key: string): Promise<void> {
    const replica = (await this.#look(key)).replica();
    await ask(replica, "CLUSTER", "FAILOVER");
    await this.#movedTo(key, ({ port }) => port === replica.port);
    await this.#settled();
  }

  async killMaster(key: string): Promise<PrivateServer> {
    const { master } = await this.#look(key);
    await master.kill();
    await this.#movedTo(key, ({ port }) => port !== master.port);
    await this.#settled();
    return master;
  }

  async moveSlot(key: string, halfway: () => Promise<void> = async () => undefined): Promise<void> {
    const { slot, master, owner, others } = await this.#look(key);
    const target = others.find(({ slots: served, isSound }) => served.length > 0 && isSound);
    if (target === undefined) throw new Error("Expected another master to move the slot to.");
    using from = await converseWithRedis(master);
    using to = await converseWithRedis(this.#serverAt(target.port));
    await to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.id);
    await from.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id);
    for (let batch = 0; ; batch += 1) {
      const keys = (await from.ask("CLUSTER", "GETKEYSINSLOT", slot, "3")) as readonly string[];
      if (keys.length === 0) break;
      await from.ask("MIGRATE", "127.0.0.1", String(target.port), "", "0", "10000", "KEYS", ...keys);
      if (batch === 0) await halfway();
    }
    for (const redis of [to, from]) await redis.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id);
    await this.#movedTo(key, ({ port }) => port === target.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }

  /** Whom a key belongs to, as the nodes that run see it. */
  async #look(key: string) {
    using redis = await converseWithRedis(this.#running()[0] as PrivateServer);
    const slot = String(await redis.ask("CLUSTER", "KEYSLOT", key));
    const known = await readClusterNodes(redis);
    const owner = known.find((node) => hasSlot(node, Number(slot)));
    if (owner === undefined) throw new Error(`Expected a master for slot ${slot}.`);
    return {
      slot,
      owner,
      others: known.filter((node) => node !== owner),
      master: this.#serverAt(owner.port),
      replica: () => this.#serverAt(known.find(({ masterId, isSound }) => masterId === owner.id && isSound)?.port),
    };
  }

  #running(): readonly PrivateServer[] {
    return this.nodes.filter(({ pid }) => pid !== undefined);
  }

  #serverAt(port: number | undefined): PrivateServer {
    const server = this.nodes.find((node) => node.port === port);
    if (server === undefined) throw new Error("Expected the key's master to have a replica that runs.");
    return server;
  }

  async #movedTo(key: string, fits: (owner: ClusterNode) => boolean): Promise<void> {
    await this.#everywhere("all nodes to know the new owner", async (redis) => {
      const slot = Number(await redis.ask("CLUSTER", "KEYSLOT", key));
      return (await readClusterNodes(redis)).some((node) => hasSlot(node, slot) && fits(node));
    });
  }

  /** Waits until all slots are served, and each replica is in step. */
  async #settled(): Promise<void> {
    await this.#everywhere("the cluster to serve", async (redis) => {
      const { cluster_state: state } = await readFacts(redis, ["CLUSTER", "INFO"]);
      const { role, master_link_status: link } = await readFacts(redis, ["INFO", "replication"]);
      return state === "ok" && (role === "master" || link === "up");
    });
  }

  async #everywhere(what: string, look: (redis: RedisConversation) => Promise<boolean>): Promise<void> {
    await untilTrue(what, async () => {
      const answers = await Promise.all(
        this.#running().map(async (node) => {
          using redis = await converseWithRedis(node);
          return await look(redis);
        }),
      );
      return answers.every(Boolean);
    });
  }
}

async function ask(node: PrivateServer, ...words: readonly string[]): Promise<unknown> {
  using redis = await converseWithRedis(node);
  return await redis.ask(...words);
}

/** The slots of one of the masters. */
function slotsOf(index: number): readonly string[] {
  const share = Math.ceil(slots / masters);
  const first = index * share;
  return Array.from({ length: Math.min(share, slots - first) }, (_, offset) => String(first + offset));
}
