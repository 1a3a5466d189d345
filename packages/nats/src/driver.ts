import {
  type ConnectionOptions,
  connect,
  type NatsConnection,
  NatsConnectionImpl,
  ProtocolHandler,
} from "@nats-io/transport-node";
import { monotonicNow, redactUrl } from "@taskferry/core";
import { type NatsConnectionOptions, readableUrl } from "./options.ts";

const defaultUrl = "nats://127.0.0.1:4222";
const shortestPause = 50;
const longestPause = 2_000;

/**
 * Pauses between attempts to connect: the longer the outage has lasted, the longer. The driver asks more often than it
 * attempts, so counting would not do.
 */
export class Backoff {
  #since: number | undefined;

  next(): number {
    this.#since ??= monotonicNow();
    return longestPauseAfter(monotonicNow() - this.#since) * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.#since = undefined;
  }
}

/** The longest pause between two attempts after an outage of so many milliseconds. */
export function longestPauseAfter(outage: number): number {
  return Math.min(longestPause, Math.max(shortestPause, outage / 2));
}

/** Connects, and keeps connecting for ever once it has. */
export async function createNatsConnection(
  given: NatsConnectionOptions,
  timeout: number,
  backoff: Backoff,
): Promise<NatsConnection> {
  const { connection, protocol } = startConnecting({
    ...given.options,
    ...credentialsOf(given),
    timeout,
    reconnect: true,
    maxReconnectAttempts: -1,
    waitOnFirstConnect: false,
    // Told no twice, the driver would give up for good; a password may be set right while it keeps asking.
    ignoreAuthErrorAbort: true,
    pingInterval: 10_000,
    maxPingOut: 2,
    reconnectDelayHandler: () => backoff.next(),
  });
  try {
    return await connection;
  } catch (error) {
    protocol?.transport.discard();
    throw error;
  }
}

/** Closes for good, with what is only being connected. */
export async function closeNatsConnection(driver: NatsConnection): Promise<void> {
  await driver.close();
  if (driver instanceof NatsConnectionImpl) driver.protocol.transport.discard();
}

/**
 * The driver leaves the socket of an attempt that took too long open, and hands out nothing by which it could be closed:
 * no process ends that has one. So what the driver makes, as it begins to connect, is kept here.
 */
function startConnecting(options: ConnectionOptions): {
  readonly connection: Promise<NatsConnection>;
  readonly protocol: ProtocolHandler | undefined;
} {
  const { connect: own } = ProtocolHandler;
  let protocol: ProtocolHandler | undefined;
  ProtocolHandler.connect = async (parsed, publisher) => {
    const made = new ProtocolHandler(parsed, publisher);
    protocol = made;
    await made.dialLoop();
    return made;
  };
  try {
    const connection = connect(options);
    return { connection, protocol };
  } finally {
    ProtocolHandler.connect = own;
  }
}

/** The driver reads no credentials from URLs. */
function credentialsOf({ url, options }: NatsConnectionOptions): ConnectionOptions {
  if (url === undefined && options?.servers !== undefined) return {};
  const urls = (typeof url === "string" || url === undefined ? [url ?? defaultUrl] : url).map(
    (text) => new URL(readableUrl(text)),
  );
  const [{ username = "", password = "" } = {}] = urls;
  const servers = urls.map(({ hostname, port }) => `${hostname}:${port === "" ? 4222 : port}`);
  const isSecure = urls.some(({ protocol }) => protocol === "tls:");
  return {
    servers,
    ...(isSecure && options?.tls == null && { tls: {} }),
    ...(username !== "" && password === "" && { token: decodeURIComponent(username) }),
    ...(password !== "" && { user: decodeURIComponent(username), pass: decodeURIComponent(password) }),
  };
}

/** Where the server is, for errors and warnings: without a password. */
export function addressOf({ url, options, connection }: NatsConnectionOptions): string {
  if (connection !== undefined) return connection.getServer();
  const urls = url ?? options?.servers ?? defaultUrl;
  return typeof urls === "string" ? redactUrl(urls) : urls.map(redactUrl).join(", ");
}
