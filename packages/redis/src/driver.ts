import { redactUrl } from "@taskferry/core";
import { type Cluster, Redis, type RedisOptions } from "ioredis";
import { isReadOnly } from "./faults.ts";
import { type RedisConnectionOptions, readableUrl } from "./options.ts";

export type Client = Redis | Cluster;

/** What a connection is for; it decides what happens to commands whose reply was lost. */
export type Role = "commands" | "blocking" | "subscriber";

/** Milliseconds for which a blocking command may block. */
export const longestBlock = 2_000;
const longestPause = 2_000;

/** A client of ioredis that is connecting already. */
export function createRedisClient(
  { client, options, url }: RedisConnectionOptions,
  role: Role,
  timeout: number,
): Client {
  const own = ownOptions(role, timeout);
  if (client !== undefined && isCluster(client)) {
    // A cluster's blocking and subscribing connections are chosen by ioredis itself.
    return client.duplicate([], { redisOptions: own, keyPrefix: "", lazyConnect: false, enableOfflineQueue: true });
  }
  if (client !== undefined) return client.duplicate(own);
  if (options?.sentinels !== undefined) return new Redis({ ...options, ...own });
  return new Redis(readableUrl(url ?? defaultUrl), { ...options, ...own });
}

/** Not by its class: the client may come from another copy of ioredis. */
export function isCluster(client: Client): client is Cluster {
  return "isCluster" in client && client.isCluster === true;
}

const defaultUrl = "redis://127.0.0.1:6379";

/**
 * ioredis sends a command again whose reply was lost, unless told not to: one push became three when measured. So
 * nothing is sent again by the driver; the connection repeats what is idempotent. What a client of the user's would
 * change about keys, replies and time limits is set as the scripts need it.
 */
function ownOptions(role: Role, timeout: number) {
  return {
    keyPrefix: "",
    stringNumbers: false,
    commandTimeout: undefined,
    blockingTimeout: undefined,
    // Ends a connection on which a command is unanswered and nothing comes at all, however little time its callers had.
    // Later than a call's own limit, which knows a blocked event loop from a server that does not answer.
    socketTimeout: role === "blocking" ? longestBlock + 2 * timeout : 2 * timeout,
    maxLoadingRetryTime: 1_000,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: role === "subscriber",
    // Its own subscribing again rejects unheard when that connection breaks too, which would end the process.
    autoResubscribe: false,
    lazyConnect: false,
    enableAutoPipelining: false,
    protocol: 2,
    replyMapping: "legacy",
    keepAlive: 10_000,
    connectTimeout: Math.max(timeout, 1_000),
    // Behind Sentinel a connection would stay at the old primary, and write there, until that is told of its fall.
    failoverDetector: true,
    // A peer that has not answered for a whole timeout will not answer a goodbye either.
    disconnectTimeout: 200,
    retryStrategy: (attempt: number): number =>
      Math.min(longestPause, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2),
    // The node became a replica: connect anew to find the new primary; sending again is our business.
    reconnectOnError: (error: Error): 1 | false => (isReadOnly(error) ? 1 : false),
  } as const satisfies RedisOptions;
}

/**
 * Resolves once commands can be sent; rejects at the first error, at the end of the client, or after `timeout`
 * milliseconds.
 */
export function firstReady(client: Client, lastError: () => Error | undefined, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(lastError() ?? new Error(`no connection within ${timeout} ms`)), timeout);
    const onReady = (): void => settle(undefined);
    const onError = (error: Error): void => settle(error);
    const onEnd = (): void => settle(lastError() ?? new Error("the connection was closed while it opened"));
    const settle = (error: Error | undefined): void => {
      clearTimeout(timer);
      client.off("ready", onReady);
      client.off("error", onError);
      client.off("end", onEnd);
      if (error === undefined) resolve();
      else reject(error);
    };
    client.once("ready", onReady);
    client.once("error", onError);
    client.once("end", onEnd);
    if (client.status === "ready") settle(undefined);
  });
}

/** Where the server is, for errors and warnings: without a password. */
export function addressOf({ url, client, options }: RedisConnectionOptions): string {
  if (client !== undefined && isCluster(client)) return "a cluster";
  if (client !== undefined) return `${client.options.host}:${client.options.port}`;
  if (options?.sentinels !== undefined) return `the Sentinel group ${options.name}`;
  return redactUrl(
    url ?? (options?.host === undefined ? defaultUrl : `redis://${options.host}:${options.port ?? 6379}`),
  );
}
