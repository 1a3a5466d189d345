import type { PrivateServer } from "./private-server.ts";
import { startRedis } from "./redis.ts";
import { converseWithRedis, type RedisConversation } from "./redis-conversation.ts";
import { readReplication, replicationUpTo } from "./redis-replication.ts";
import { untilTrue } from "./until-true.ts";

export interface RedisSentinelOptions {
  /** Milliseconds of silence after which a sentinel holds the master for dead. Default: 1,000. */
  readonly downAfter?: number;
}

/**
 * A master with a replica, and three sentinels that watch them. Every call resolves once all sentinels name a master that
 * serves.
 */
export interface RedisSentinelGroup extends AsyncDisposable {
  /** How the sentinels call the master. */
  readonly name: string;
  readonly sentinels: readonly PrivateServer[];
  /** Master and replica, whichever is which. */
  readonly nodes: readonly PrivateServer[];

  /** The node that is the master now. */
  master(): Promise<PrivateServer>;

  /** Resolves once the replica has all that the master had when this was called. After a failover that takes 10 seconds. */
  replicated(): Promise<void>;

  /** Has the sentinels make the replica the master, as an operator would. */
  failOver(): Promise<void>;

  /** Kills the master and waits for its replica, which must be in step, to take over. Answers the one that was killed. */
  killMaster(): Promise<PrivateServer>;
}

const name = "primary";
const quorum = 2;

/**
 * Starts five private `redis-server`s: a master, its replica, three sentinels.
 *
 * @throws `SERVER_MISSING`, `SERVER_NOT_READY`.
 */
export async function startRedisSentinel({
  downAfter = 1_000,
}: RedisSentinelOptions = {}): Promise<RedisSentinelGroup> {
  const started: PrivateServer[] = [];
  const keep = async (starting: Promise<PrivateServer>): Promise<PrivateServer> => {
    const server = await starting;
    started.push(server);
    return server;
  };
  try {
    const master = await keep(startRedis());
    const replica = await keep(startRedis({ replicaOf: master }));
    const config = [
      `sentinel monitor ${name} ${master.host} ${master.port} ${quorum}`,
      `sentinel down-after-milliseconds ${name} ${downAfter}`,
      `sentinel failover-timeout ${name} ${5 * downAfter}`,
    ];
    const sentinels: PrivateServer[] = [];
    for (let count = 0; count < 3; count += 1) {
      sentinels.push(await keep(startRedis({ config, args: ["--sentinel"] })));
    }
    const group = new SpawnedSentinelGroup([master, replica], sentinels);
    await group.settled(({ port }) => port === master.port);
    return group;
  } catch (error) {
    await Promise.all(started.map((server) => server[Symbol.asyncDispose]()));
    throw error;
  }
}

class SpawnedSentinelGroup implements RedisSentinelGroup {
  readonly name = name;
  readonly sentinels: readonly PrivateServer[];
  readonly nodes: readonly PrivateServer[];

  constructor(nodes: readonly PrivateServer[], sentinels: readonly PrivateServer[]) {
    this.nodes = nodes;
    this.sentinels = sentinels;
  }

  async master(): Promise<PrivateServer> {
    using redis = await converseWithRedis(this.sentinels[0] as PrivateServer);
    return this.#named(await masterPort(redis));
  }

  async replicated(): Promise<void> {
    const master = await this.master();
    const replica = this.nodes.find((node) => node !== master && node.pid !== undefined);
    if (replica === undefined) throw new Error("Expected the master to have a replica that runs.");
    await replicationUpTo(master, replica);
  }

  async failOver(): Promise<void> {
    const { port } = await this.master();
    using redis = await converseWithRedis(this.sentinels[0] as PrivateServer);
    await untilTrue("a sentinel to begin the failover", async () => {
      await redis.ask("SENTINEL", "FAILOVER", name);
      return true;
    });
    await this.settled((master) => master.port !== port);
  }

  async killMaster(): Promise<PrivateServer> {
    const killed = await this.master();
    await killed.kill();
    await this.settled((master) => master !== killed);
    return killed;
  }

  /** Waits until all sentinels know each other and name one master that fits and serves. */
  async settled(fits: (master: PrivateServer) => boolean): Promise<void> {
    await untilTrue("the sentinels to agree", async () => {
      const views = await Promise.all(this.sentinels.map((sentinel) => this.#viewOf(sentinel)));
      const [{ master }] = views as [(typeof views)[0]];
      if (!fits(master) || views.some((view) => view.master !== master || !view.isComplete)) return false;
      return (await readReplication(master)).role === "master";
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sentinels, ...this.nodes].map((server) => server[Symbol.asyncDispose]()));
  }

  async #viewOf(sentinel: PrivateServer) {
    using redis = await converseWithRedis(sentinel);
    const master = this.#named(await masterPort(redis));
    const others = (await redis.ask("SENTINEL", "SENTINELS", name)) as readonly unknown[];
    const replicas = (await redis.ask("SENTINEL", "REPLICAS", name)) as readonly unknown[];
    return { master, isComplete: others.length === this.sentinels.length - 1 && replicas.length > 0 };
  }

  #named(port: number): PrivateServer {
    const server = this.nodes.find((node) => node.port === port);
    if (server === undefined) throw new Error(`Expected a node of the group on port ${port}.`);
    return server;
  }
}

async function masterPort(redis: RedisConversation): Promise<number> {
  const address = await redis.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name);
  return Number((address as readonly string[])[1]);
}
