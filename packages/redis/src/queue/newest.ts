import type { Connection } from "../connection.ts";
import type { QueueKeys } from "./keys.ts";

/** The keys that `key` may mean: itself, or, for a task's id, its newest message and its first. */
export async function newestKeys(commands: Connection, { latest }: QueueKeys, key: string): Promise<readonly string[]> {
  const newest = await commands.call<string | null>((client) => client.hget(latest, key));
  return [key, ...(newest === null ? [] : [`${key}:${newest}`]), `${key}:0:0`];
}

/** The same for dead letters. They are few, and an operator's look for the newest of a task may cost a scan of their names. */
export async function newestDead(commands: Connection, { dead }: QueueKeys, id: string): Promise<readonly string[]> {
  const exact = await commands.call<string | null>((client) => client.zscore(dead, Buffer.from(id, "latin1")));
  if (exact !== null) return [id];
  const found: { readonly key: string; readonly at: number }[] = [];
  let cursor = "0";
  do {
    const [next, reply] = await commands.call<readonly [string, readonly string[]]>((client) =>
      client.zscan(dead, cursor, "MATCH", `${id}:*`, "COUNT", 1_000),
    );
    for (let index = 0; index < reply.length; index += 2) {
      const key = reply[index] as string;
      if (/^:\d+:\d+$/.test(key.slice(id.length))) found.push({ key, at: Number(reply[index + 1]) });
    }
    cursor = next;
  } while (cursor !== "0");
  const [newest] = found.sort((a, b) => b.at - a.at || compareCounters(b.key, a.key));
  return newest === undefined ? [] : [newest.key];
}

/** Compares run, then hop, of two keys of one id. */
function compareCounters(a: string, b: string): number {
  const [runA = 0, hopA = 0] = a.split(":").slice(-2).map(Number);
  const [runB = 0, hopB = 0] = b.split(":").slice(-2).map(Number);
  return runA - runB || hopA - hopB;
}
