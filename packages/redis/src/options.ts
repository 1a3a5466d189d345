import { ConfigurationError, type Duration, redactUrl } from "@taskferry/core";
import type { Cluster, Redis, RedisOptions } from "ioredis";

/** Where Redis is, and under which names things are kept there. */
export interface RedisConnectionOptions {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS, or the path of a socket. Default `redis://127.0.0.1:6379`. */
  readonly url?: string;
  /**
   * Options of ioredis, such as `sentinels`, `name`, `tls` or `username`. What decides about keys, lost replies, time
   * limits and reconnecting is set by this package and cannot be set here.
   */
  readonly options?: RedisOptions;
  /**
   * An existing connection. It is duplicated for our own connections, never used itself and never closed. Its
   * `keyPrefix` is not taken over: use `namespace`.
   */
  readonly client?: Redis | Cluster;
  /** The first part of every key. Default `"taskferry"`. */
  readonly namespace?: string;
  /** How long a single command may take before its connection is given up as dead. Default `"5s"`. */
  readonly commandTimeout?: Duration;
}

/** Options of `redisList` and `redisStream`. */
export interface RedisQueueOptions extends RedisConnectionOptions {
  /** For how long at least a publish is recognised after its message left the queue. Default `"2m"`. */
  readonly dedupeWindow?: Duration;
  /** Messages that a queue holds at most, delayed and running ones included; beyond, `BROKER_FULL`. Default: no limit. */
  readonly maxLength?: number;
}

/** Options of `redisPubSub`. */
export interface RedisPubSubOptions extends RedisConnectionOptions {
  /** Messages that a consumer keeps until they are taken; beyond, the oldest is dropped and told as `gap`. Default 1,000. */
  readonly buffer?: number;
}

const inQuery = ["namespace", "commandTimeout", "dedupeWindow", "maxLength", "buffer"] as const;

/** Options in the query of a URL: `?namespace=blue&dedupeWindow=10m&maxLength=100000`. */
export function readUrl(url: string): RedisQueueOptions & RedisPubSubOptions {
  const parsed = new URL(readableUrl(url));
  const { searchParams } = parsed;
  const { maxLength, buffer, ...texts } = Object.fromEntries(
    inQuery.flatMap((name) => (searchParams.has(name) ? [[name, searchParams.get(name) as string]] : [])),
  );
  for (const name of inQuery) searchParams.delete(name);
  return {
    url: parsed.href,
    ...texts,
    ...(maxLength !== undefined && { maxLength: Number(maxLength) }),
    ...(buffer !== undefined && { buffer: Number(buffer) }),
  };
}

/**
 * The URL itself. Node's own error of a wrong one would show it whole, with its password.
 *
 * @throws ConfigurationError `URL_INVALID`.
 */
export function readableUrl(url: string): string {
  if (URL.canParse(url) || url.startsWith("/")) return url;
  throw new ConfigurationError(
    "URL_INVALID",
    `The URL ${redactUrl(url)} cannot be read: expected redis://user:password@host:port/db, special characters percent-encoded.`,
  );
}
