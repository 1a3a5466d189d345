import type { PrivateServer } from "./private-server.ts";
import { converseWithRedis, readFacts } from "./redis-conversation.ts";
import { untilTrue } from "./until-true.ts";

export async function readReplication(node: PrivateServer): Promise<Readonly<Record<string, string>>> {
  using redis = await converseWithRedis(node);
  return await readFacts(redis, ["INFO", "replication"]);
}

/** Waits until the replica has all that the master has now. */
export async function replicationUpTo(master: PrivateServer, replica: PrivateServer): Promise<void> {
  const goal = Number((await readReplication(master)).master_repl_offset);
  await untilTrue(`the replica to reach ${goal}`, async () => {
    const { master_link_status: link, slave_repl_offset: offset } = await readReplication(replica);
    return link === "up" && Number(offset) >= goal;
  });
}
