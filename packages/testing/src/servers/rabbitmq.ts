import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Duration } from "@taskferry/core";
import { greetRabbitmq } from "./amqp-conversation.ts";
import { requireServer } from "./find-servers.ts";
import { findFreePort } from "./free-port.ts";
import type { PrivateServer } from "./private-server.ts";
import { type ServerPlace, spawnServer } from "./spawn-server.ts";

/** How a private RabbitMQ is set up. It keeps durable queues over its restarts, and has one user, `guest`. */
export interface RabbitmqOptions {
  /** Lines of rabbitmq.conf, such as `"consumer_timeout = 2000"` or `"vm_memory_high_watermark.relative = 0.1"`. */
  readonly config?: readonly string[];
  /** The longest time from start to the first answer. Default: 60 seconds; it usually takes 6 to 15. */
  readonly startTimeout?: Duration;
}

/**
 * A private RabbitMQ. Its `pid` is that of the Erlang machine itself.
 *
 * RabbitMQ 3.10 keeps the register of its quorum queues in memory for a moment: a queue that was declared in the last
 * seconds before a SIGKILL comes back empty and without a leader. A test of durability waits before it kills.
 */
export interface RabbitmqServer extends PrivateServer {
  /**
   * Runs `rabbitmqctl` against it and resolves to what that printed, as in
   * `control("set_vm_memory_high_watermark", "0.4")`. Each call takes about a second.
   */
  control(...args: readonly string[]): Promise<string>;
}

const user = "guest";
/** Starts its own register of nodes beside it: RabbitMQ would start one that outlives everything. */
const script = `
epmd -port "$ERL_EPMD_PORT" -address "$ERL_EPMD_ADDRESS" &
until epmd -names >/dev/null 2>&1; do sleep 0.05; done
exec "$@"`;
const controlMilliseconds = 60_000;

/**
 * Starts a private `rabbitmq-server`, that of /usr/lib/rabbitmq/bin or the one on the PATH.
 *
 * @throws `SERVER_MISSING` when there is none, `SERVER_NOT_READY` with its output when it does not come up.
 */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const command = await requireServer("rabbitmq");
  const cookie = randomBytes(12).toString("hex");
  let ports = { distribution: 0, epmd: 0 };
  const environment = (place: ServerPlace) => environmentOf(place, ports);
  const server = await spawnServer({
    name: "rabbitmq",
    command: "/bin/sh",
    args: () => ["-c", script, "taskferry-rabbitmq", command],
    env: environment,
    url: ({ host, port }) => `amqp://${user}:${user}@${host}:${port}`,
    prepare: async (place) => {
      ports = { distribution: await findFreePort(place.host), epmd: await findFreePort(place.host) };
      await writeConfiguration(place, { cookie, lines: options.config ?? [] });
    },
    ready: async ({ host, port, signal }) => {
      const greeting = await greetRabbitmq({ host, port, user, password: user, signal });
      // What it says is the name of its cluster: its own name, at the machine's full name.
      const node = nodeName(port).replace(/@.*/, "@");
      if (!greeting.includes(node))
        throw new Error(`Expected the node ${nodeName(port)} on the port, got another server.`);
    },
    portTaken: /eaddrinuse|port .* in use/i,
    startTimeout: options.startTimeout ?? "60s",
  });
  const control = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, ...environment(server) };
    const program = join(dirname(command), "rabbitmqctl");
    const flags = ["-n", nodeName(server.port), "--erlang-cookie", cookie];
    const { stdout } = await promisify(execFile)(program, [...flags, ...args], { env, timeout: controlMilliseconds });
    return stdout;
  };
  return Object.assign(server, { control });
}

function nodeName(port: number): string {
  return `taskferry${port}@localhost`;
}

function environmentOf(
  { host, port, directory }: ServerPlace,
  ports: { readonly distribution: number; readonly epmd: number },
): Readonly<Record<string, string>> {
  return {
    HOME: join(directory, "home"),
    RABBITMQ_NODENAME: nodeName(port),
    RABBITMQ_NODE_IP_ADDRESS: host,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_MNESIA_BASE: join(directory, "mnesia"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_PID_FILE: join(directory, "pid"),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: host,
    // Has the script become the Erlang machine, instead of waiting for it: so signals reach the server itself.
    detached: "true",
  };
}

async function writeConfiguration(
  { directory }: ServerPlace,
  { cookie, lines }: { readonly cookie: string; readonly lines: readonly string[] },
): Promise<void> {
  const home = join(directory, "home");
  await mkdir(home, { recursive: true });
  await writeFile(join(home, ".erlang.cookie"), cookie, { mode: 0o400, flag: "w" }).catch(ignoreExisting);
  await writeFile(join(directory, "enabled_plugins"), "[].\n");
  await writeFile(join(directory, "rabbitmq.conf"), `${lines.join("\n")}\n`, { mode: 0o600 });
}

/** Written by an earlier try, with the same content, and read-only since. */
function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EACCES") throw error;
}
