import { setTimeout as sleep } from "node:timers/promises";
import { findFreePort } from "./free-port.ts";
import { type NatsServerOptions, startNats } from "./nats.ts";
import { converseWithNats } from "./nats-conversation.ts";
import type { PrivateServer } from "./private-server.ts";

/** Three private NATS servers that know each other, and keep streams of up to three replicas. */
export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly [PrivateServer, PrivateServer, PrivateServer];
  /** The server that leads a stream right now. Waits until there is one. */
  leaderOf(stream: string): Promise<PrivateServer>;
  /** Has the leader of a stream, or of one of its consumers, hand over to another server. */
  stepDown(stream: string, consumer?: string): Promise<void>;
}

const host = "127.0.0.1";
/** Milliseconds for the servers to find each other, and for a leader to be there. */
const patience = 20_000;

/**
 * Starts a cluster of three, ready to create streams.
 *
 * @throws as {@link startNats} does.
 */
export async function startNatsCluster(
  options: Omit<NatsServerOptions, "cluster" | "serverName"> = {},
): Promise<NatsCluster> {
  const routes = [await findFreePort(host), await findFreePort(host), await findFreePort(host)];
  const started = await Promise.allSettled(
    routes.map((port, index) =>
      startNats({ ...options, serverName: nameOf(index, port), cluster: { name: "taskferry", port, routes } }),
    ),
  );
  const servers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const cluster = new StartedCluster(servers, {
    names: routes.map((port, index) => nameOf(index, port)),
    credentials: options.users?.[0],
  });
  try {
    for (const result of started) if (result.status === "rejected") throw result.reason;
    await cluster.untilReady();
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

function nameOf(index: number, port: number): string {
  return `n${index + 1}-${port}`;
}

interface ClusterParts {
  readonly names: readonly string[];
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
}

class StartedCluster implements NatsCluster {
  readonly servers: NatsCluster["servers"];
  readonly #parts: ClusterParts;

  constructor(servers: readonly PrivateServer[], parts: ClusterParts) {
    this.servers = servers as NatsCluster["servers"];
    this.#parts = parts;
  }

  /** A stream of three replicas can be created once all are in the group that decides about streams. */
  async untilReady(): Promise<void> {
    const body = { name: "PROBE", subjects: ["probe"], storage: "memory", num_replicas: 3 };
    await this.#eventually(async () => {
      const { error } = await this.#request("$JS.API.STREAM.CREATE.PROBE", body);
      if (error !== undefined) throw new Error(JSON.stringify(error));
    });
    await this.#request("$JS.API.STREAM.DELETE.PROBE");
  }

  async leaderOf(stream: string): Promise<PrivateServer> {
    return this.#eventually(async () => {
      const { cluster } = (await this.#request(`$JS.API.STREAM.INFO.${stream}`)) as {
        readonly cluster?: { readonly leader?: string };
      };
      const server = this.servers[this.#parts.names.indexOf(cluster?.leader ?? "")];
      if (server === undefined) throw new Error(`Expected ${stream} to have a leader, got ${cluster?.leader}.`);
      return server;
    });
  }

  async stepDown(stream: string, consumer?: string): Promise<void> {
    const subject =
      consumer === undefined
        ? `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`
        : `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.${consumer}`;
    const { error } = await this.#request(subject);
    if (error !== undefined) throw new Error(`The leader of ${stream} did not step down: ${JSON.stringify(error)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }

  /** Asks the first server that runs. */
  async #request(subject: string, body?: object): Promise<Readonly<Record<string, unknown>>> {
    const running = this.servers.find(({ pid }) => pid !== undefined) ?? this.servers[0];
    const signal = AbortSignal.timeout(patience);
    using nats = await converseWithNats({ host, port: running.port, signal, ...this.#parts.credentials });
    const late = sleep(2_000, undefined, { ref: false }).then(() => {
      throw new Error(`No answer to ${subject} within 2 seconds.`);
    });
    return await Promise.race([nats.request(subject, body), late]);
  }

  async #eventually<T>(ask: () => Promise<T>): Promise<T> {
    const end = performance.now() + patience;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (performance.now() > end) throw error;
        await sleep(100);
      }
    }
  }
}
