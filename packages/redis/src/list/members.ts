import type { QueueSection } from "@taskferry/core";
import type { Connection } from "../connection.ts";
import type { QueueKeys } from "./keys.ts";

/** A member of a section; `at` is its score where it has one. Foreign bytes may be members, so keys are latin1, byte by byte. */
export interface Member {
  readonly key: string;
  readonly at: number | undefined;
}

/** Finds the messages of a section of a queue. */
export class Members {
  readonly #commands: Connection;

  constructor(commands: Connection) {
    this.#commands = commands;
  }

  /** @param key - a message's dedupe id, or a task's id for its newest message. */
  async find(keys: QueueKeys, section: QueueSection, key: string): Promise<Member | undefined> {
    if (section === "dead") return this.#findDead(keys, key);
    const names = await this.#candidates(keys, key);
    if (section === "ready") return this.#findReady(keys, names);
    const scores = await this.#scores(setOf(keys, section), names);
    const index = scores.findIndex((score) => score !== null);
    return index < 0 ? undefined : { key: names[index] as string, at: Number(scores[index]) };
  }

  /** The keys that `key` may mean: itself, or, for a task's id, its newest message and its first. */
  async #candidates({ latest }: QueueKeys, key: string): Promise<readonly string[]> {
    const newest = await this.#commands.call<string | null>((client) => client.hget(latest, key));
    return [key, ...(newest === null ? [] : [`${key}:${newest}`]), `${key}:0:0`];
  }

  /** What is stored and neither delayed nor leased waits in a list. */
  async #findReady({ message, delayed, lease }: QueueKeys, names: readonly string[]): Promise<Member | undefined> {
    const [held, ...scores] = await Promise.all([
      this.#commands.call<readonly (Buffer | null)[]>((client) => client.hmgetBuffer(message, ...names)),
      this.#scores(delayed, names),
      this.#scores(lease, names),
    ]);
    const index = names.findIndex(
      (_, position) => held[position] !== null && scores.every((score) => (score[position] ?? null) === null),
    );
    return index < 0 ? undefined : { key: names[index] as string, at: undefined };
  }

  /** Dead letters are few, and an operator's look for the newest of a task may cost a scan of their names. */
  async #findDead({ dead }: QueueKeys, id: string): Promise<Member | undefined> {
    const exact = await this.#commands.call<string | null>((client) => client.zscore(dead, Buffer.from(id, "latin1")));
    if (exact !== null) return { key: id, at: Number(exact) };
    const found: Member[] = [];
    let cursor = "0";
    do {
      const [next, reply] = await this.#commands.call<readonly [string, readonly string[]]>((client) =>
        client.zscan(dead, cursor, "MATCH", `${id}:*`, "COUNT", 1_000),
      );
      for (let index = 0; index < reply.length; index += 2) {
        const key = reply[index] as string;
        if (/^:\d+:\d+$/.test(key.slice(id.length))) found.push({ key, at: Number(reply[index + 1]) });
      }
      cursor = next;
    } while (cursor !== "0");
    return found.sort((a, b) => (b.at ?? 0) - (a.at ?? 0) || compareCounters(b.key, a.key))[0];
  }

  #scores(set: string, names: readonly string[]): Promise<readonly (string | null)[]> {
    return this.#commands.call((client) => client.zmscore(set, ...names));
  }
}

function setOf(keys: QueueKeys, section: Exclude<QueueSection, "ready">): string {
  return { delayed: keys.delayed, running: keys.lease, dead: keys.dead }[section];
}

/** Compares run, then hop, of two keys of one id. */
function compareCounters(a: string, b: string): number {
  const [runA = 0, hopA = 0] = a.split(":").slice(-2).map(Number);
  const [runB = 0, hopB = 0] = b.split(":").slice(-2).map(Number);
  return runA - runB || hopA - hopB;
}
