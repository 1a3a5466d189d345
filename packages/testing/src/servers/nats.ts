import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duration } from "@taskferry/core";
import { requireServer } from "./find-servers.ts";
import { converseWithNats, type NatsConversation } from "./nats-conversation.ts";
import type { PrivateServer } from "./private-server.ts";
import { type ServerPlace, spawnServer } from "./spawn-server.ts";

/** How a private NATS server is set up. Without options it has JetStream, in a directory of its own, and asks nobody who they are. */
export interface NatsServerOptions {
  /** Whether it has JetStream, and how much it may store on disk, in its own notation (`"64MB"`). Default: true, without a limit. */
  readonly jetStream?: boolean | { readonly maxStore: string };
  /** The users it knows; the first is in the `url`. Default: anybody may do anything. */
  readonly users?: readonly NatsUser[];
  /** Its name; in a cluster each has another. Default: one that nobody else has. */
  readonly serverName?: string;
  /** The cluster it belongs to, and where it and the others listen for each other. */
  readonly cluster?: { readonly name: string; readonly port: number; readonly routes: readonly number[] };
  /** More lines of the configuration file, after those that come from the options above. */
  readonly config?: readonly string[];
  /** Which `nats-server` is started. Default: the one on the PATH. */
  readonly program?: string;
  /** The longest time from start to ready. Default: 15 seconds. */
  readonly startTimeout?: Duration;
}

export interface NatsUser {
  readonly user: string;
  readonly password: string;
  /** Subjects that it may publish to and subscribe to. Default: all. */
  readonly permissions?: { readonly publish: readonly string[]; readonly subscribe: readonly string[] };
}

/**
 * Starts a private `nats-server`, the one on the PATH unless `program` names another.
 *
 * @throws `SERVER_MISSING` when there is none, `SERVER_NOT_READY` with its output when it does not come up.
 */
export async function startNats(options: NatsServerOptions = {}): Promise<PrivateServer> {
  const serverName = options.serverName ?? `taskferry-${randomUUID()}`;
  const first = options.users?.[0];
  return await spawnServer({
    name: "nats",
    command: options.program ?? (await requireServer("nats")),
    args: (place) => ["-c", configurationPath(place)],
    url: ({ host, port }) =>
      `nats://${first === undefined ? "" : `${encodeURIComponent(first.user)}:${encodeURIComponent(first.password)}@`}${host}:${port}`,
    prepare: (place) => writeConfiguration(place, { ...options, serverName }),
    ready: async ({ host, port, signal }) => {
      using nats = await converseWithNats({ host, port, signal, user: first?.user, password: first?.password });
      await nats.ping();
      checkWhoAnswers(nats, serverName, options.jetStream ?? true);
    },
    portTaken: /address already in use/i,
    startTimeout: options.startTimeout,
  });
}

function configurationPath({ directory }: ServerPlace): string {
  return join(directory, "nats.conf");
}

async function writeConfiguration(place: ServerPlace, options: NatsServerOptions): Promise<void> {
  const path = configurationPath(place);
  await writeFile(path, `${configurationLines(place, options).join("\n")}\n`, { mode: 0o600 });
}

function configurationLines({ host, port, directory }: ServerPlace, options: NatsServerOptions): readonly string[] {
  const { jetStream = true, users, serverName, cluster } = options;
  const limit = typeof jetStream === "object" ? `, max_file_store: ${jetStream.maxStore}` : "";
  return [
    `listen: "${host}:${port}"`,
    ...(serverName === undefined ? [] : [`server_name: ${JSON.stringify(serverName)}`]),
    // A server that ends in good order tells its clients first, and waits for them; a private one has no time for that.
    "lame_duck_grace_period: 100ms",
    ...(jetStream === false
      ? []
      : [`jetstream: { store_dir: ${JSON.stringify(join(directory, "jetstream"))}${limit} }`]),
    ...(users === undefined ? [] : [`authorization: { users: [${users.map(userLine).join(", ")}] }`]),
    ...(cluster === undefined ? [] : [clusterLine(host, cluster)]),
    ...(options.config ?? []),
  ];
}

function userLine({ user, password, permissions }: NatsUser): string {
  return JSON.stringify({ user, password, ...(permissions && { permissions }) });
}

function clusterLine(host: string, { name, port, routes }: NonNullable<NatsServerOptions["cluster"]>): string {
  const urls = routes.map((route) => `nats://${host}:${route}`);
  return `cluster: ${JSON.stringify({ name, listen: `${host}:${port}`, routes: urls, no_advertise: true })}`;
}

/** Another server may have taken the port. */
function checkWhoAnswers({ info }: NatsConversation, name: string, jetStream: NatsServerOptions["jetStream"]): void {
  if (info["server_name"] !== name)
    throw new Error(`Expected ${name} on the port, got an answer of ${String(info["server_name"])}.`);
  if (jetStream !== false && info["jetstream"] !== true) throw new Error("Expected JetStream, got a server without.");
}
