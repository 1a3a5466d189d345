import { Redis } from "ioredis";
import type { Payload, Subject } from "../subject.ts";

const marker = "{raw}:marker";
const replies = "raw:done";

/** As many reads as the scripts of a queue make beside what moves the message. */
function script(reads: number, work: string): string {
  const read = Array.from({ length: reads }, (_, n) => `redis.call('HMGET', KEYS[1] .. 'beside:${n % 4}', ARGV[1])`);
  return `${read.join("\n")}\n${work}`;
}

const scripts = {
  rawPublish: script(
    5,
    `redis.call('RPUSH', KEYS[1] .. 'list', ARGV[2]) redis.call('ZADD', '${marker}', 0, '1') return ''`,
  ),
  rawTake: script(12, "return redis.call('LPOP', KEYS[1] .. 'list')"),
  rawStore: script(
    1,
    `redis.call('SET', KEYS[1] .. ARGV[1], ARGV[2], 'PX', 60000) redis.call('PUBLISH', '${replies}', ARGV[1]) return ''`,
  ),
  rawAcknowledge: script(7, "redis.call('HDEL', KEYS[1] .. 'held', ARGV[1]) return ''"),
};

type Scripted = Redis & Readonly<Record<keyof typeof scripts, (...args: readonly string[]) => Promise<string | null>>>;

/**
 * The least that steps of a queue can cost which each are one script, so that a crash leaves none half done: publish, a take
 * behind a blocking pop, store, acknowledge. No message is read, checked, leased or awaited in more than name.
 */
export const rawScripts: Subject = {
  roundTrip: async ({ url, payload }) => {
    const [client, blocked, server, listening] = [connect(url), connect(url), connect(url), connect(url)];
    await listening.subscribe(replies);
    const waits = new Map<string, () => void>();
    listening.on("message", (_, id: string) => waits.get(id)?.());
    let isOpen = true;
    const serve = async (): Promise<void> => {
      while (isOpen) {
        const popped = blocked.bzpopmin(marker, 1);
        const taken = blocked.rawTake("{raw}:", "0");
        await popped;
        const message = await taken;
        if (message === null) continue;
        const id = message.slice(0, 10);
        const { text } = JSON.parse(message.slice(10)) as Payload;
        await server.rawStore("{raw}:", id, String(text.length));
        void server.rawAcknowledge("{raw}:", id);
      }
    };
    const serving = serve();
    let count = 0;
    const once = (): Promise<void> => {
      count += 1;
      const id = String(count).padStart(10, "0");
      return new Promise((resolve) => {
        waits.set(id, () => {
          waits.delete(id);
          resolve();
        });
        void client.rawPublish("{raw}:", id, id + JSON.stringify(payload));
      });
    };
    const close = async (): Promise<void> => {
      isOpen = false;
      await serving;
      for (const redis of [client, blocked, server, listening]) redis.disconnect();
    };
    return { once, close };
  },
};

function connect(url: string): Scripted {
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(name, { numberOfKeys: 1, lua });
  return redis as Scripted;
}
