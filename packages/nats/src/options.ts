import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import { ConfigurationError, type Duration, OptionError, redactUrl } from "@taskferry/core";

/** Where NATS is, and under which names things are kept there. */
export interface NatsConnectionOptions {
  /** `nats://user:password@host:port`, `nats://token@host:port`, `tls://` for TLS; several for a cluster. Default `nats://127.0.0.1:4222`. */
  readonly url?: string | readonly string[];
  /**
   * Options of the driver, such as `authenticator` (credentials file, nkey, JWT), `tls`, `inboxPrefix` or `name`. What
   * decides about reconnecting and time limits is set by this package and cannot be set here.
   */
  readonly options?: ConnectionOptions;
  /** An existing connection. It is used and never closed; it must reconnect for ever (`maxReconnectAttempts: -1`). */
  readonly connection?: NatsConnection;
  /** The first part of every subject and stream: letters, digits, `_` and `-`. Default `"taskferry"`. */
  readonly namespace?: string;
  /** How long a single call may take before it is sent again, and its connection is given up as dead. Default `"5s"`. */
  readonly commandTimeout?: Duration;
}

/** Options of the brokers `natsCore` and `natsFanout`. */
export interface NatsCoreOptions extends NatsConnectionOptions {
  /** Bytes of one message, as the server's `max_payload` allows. Default 1 MiB less 1 KiB. */
  readonly maxMessageBytes?: number;
}

/** How a stream of JetStream keeps things. Applies when it is made; `maxBytes` and `replicas` given here are set anew at each start. */
export interface NatsStorageOptions extends NatsConnectionOptions {
  /** Servers of the cluster that keep a copy: 1, 3 or 5. Default 1. */
  readonly replicas?: number;
  /** Where the server keeps messages. Memory does not outlive it. Default `"file"`. */
  readonly storage?: "file" | "memory";
  /** The subjects of JetStream's interface, for another domain: `"$JS.hub.API"`. Default `"$JS.API"`. */
  readonly apiPrefix?: string;
}

/** Options of the broker `nats`. */
export interface NatsOptions extends NatsStorageOptions {
  /** For how long a publish is recognised, counted from when it came. Default `"2m"`. */
  readonly dedupeWindow?: Duration;
  /** Bytes of all messages together; beyond, `BROKER_FULL`. Default: what the server allows. */
  readonly maxBytes?: number;
  /**
   * Whether a server from 2.12 on keeps what is delayed itself, where the stream has no limits. A stream that has done so
   * once can have no limits any more, and is refused on older servers. Default: true.
   */
  readonly nativeDelay?: boolean;
  /** Bytes of one message, as the server's `max_payload` allows, less 1 KiB for headers of NATS. Default 1 MiB less 1 KiB. */
  readonly maxMessageBytes?: number;
}

/** Options of `natsResults`. */
export interface NatsResultsOptions extends NatsStorageOptions {
  /** Bytes of one outcome, as the server's `max_payload` allows. Default 1 MiB less 1 KiB. */
  readonly maxOutcomeBytes?: number;
}

/** Options of `natsState`. */
export interface NatsStateOptions extends NatsStorageOptions {
  /** How often what has expired is removed; it reads as absent at once. Default `"1m"`. */
  readonly sweepInterval?: Duration;
}

const defaultNamespace = "taskferry";
export const defaultMaxMessageBytes = 1024 * 1024 - 1024;

const words = ["namespace", "commandTimeout", "dedupeWindow", "storage", "apiPrefix"] as const;
const numbers = ["replicas", "maxBytes", "maxMessageBytes"] as const;

/** Options in the query of a URL: `nats://host:4222?namespace=blue&replicas=3`. The scheme may be one of ours. */
export function readUrl(url: string): NatsOptions {
  const parsed = new URL(readableUrl(url.replace(/^nats\+(?:core|fanout):/, "nats:")));
  const read: Record<string, string | number | boolean> = {};
  for (const name of words) {
    const value = parsed.searchParams.get(name);
    if (value !== null) read[name] = value;
  }
  for (const name of numbers) {
    const value = parsed.searchParams.get(name);
    if (value !== null) read[name] = Number(value);
  }
  const nativeDelay = parsed.searchParams.get("nativeDelay");
  if (nativeDelay !== null) read["nativeDelay"] = readFlag("nativeDelay", nativeDelay);
  parsed.search = "";
  return { url: parsed.href, ...read };
}

/**
 * The URL itself. Node's own error of a wrong one would show it whole, with its password.
 *
 * @throws ConfigurationError `URL_INVALID`.
 */
export function readableUrl(url: string): string {
  if (URL.canParse(url) && new URL(url).hostname !== "") return url;
  throw new ConfigurationError(
    "URL_INVALID",
    `The URL ${redactUrl(url)} cannot be read: expected nats://user:password@host:port, special characters percent-encoded.`,
  );
}

/** @throws OptionError `OPTION_INVALID`. */
export function readNamespace({ namespace = defaultNamespace }: NatsConnectionOptions): string {
  if (/^[A-Za-z0-9_-]{1,100}$/.test(namespace)) return namespace;
  throw new OptionError(
    "OPTION_INVALID",
    `namespace: expected 1 to 100 letters, digits, "_" or "-", got ${JSON.stringify(namespace)}.`,
  );
}

/** @throws OptionError `OPTION_INVALID`. */
export function readCount(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1)) return value;
  throw new OptionError("OPTION_INVALID", `${name}: expected a whole number from 1, got ${value}.`);
}

/** @throws OptionError `OPTION_INVALID`. */
function readFlag(name: string, value: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw new OptionError("OPTION_INVALID", `${name}: expected "true" or "false", got ${JSON.stringify(value)}.`);
}
