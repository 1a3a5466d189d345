import { ConfigurationError } from "@taskferry/core";
import type { Redis } from "ioredis";
import type { Connection } from "./connection.ts";
import { isCluster } from "./driver.ts";

const oldest = [6, 2];

/**
 * Looks at the server's version and eviction policy. Answers warnings.
 *
 * @throws ConfigurationError `CONFIGURATION_INVALID` for a server before 6.2.
 */
export async function checkServer(connection: Connection): Promise<readonly string[]> {
  const node = nodeOf(connection);
  if (node === undefined) return [];
  const info = await node.info("server").catch(() => "");
  const [major = oldest[0], minor = oldest[1]] = (/redis_version:(\d+)\.(\d+)/.exec(info) ?? [])
    .slice(1)
    .map(Number) as [number?, number?];
  if (major !== undefined && minor !== undefined && (major < 6 || (major === 6 && minor < 2))) {
    throw new ConfigurationError(
      "CONFIGURATION_INVALID",
      `Expected Redis 6.2 or later at ${connection.address}, found ${major}.${minor}. Update the server.`,
    );
  }
  return checkPolicy(node, connection.address);
}

async function checkPolicy(node: Redis, address: string): Promise<readonly string[]> {
  const memory = await node.info("memory").catch(() => "");
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1];
  if (policy === undefined) {
    return [
      `The maxmemory-policy of Redis at ${address} cannot be read (INFO memory is refused). It must be "noeviction", or Redis may throw messages away.`,
    ];
  }
  if (policy === "noeviction") return [];
  return [
    `Redis at ${address} has the maxmemory-policy "${policy}": when memory is full it throws messages away. Set it to "noeviction".`,
  ];
}

function nodeOf({ client }: Connection): Redis | undefined {
  return isCluster(client) ? client.nodes("master")[0] : client;
}
