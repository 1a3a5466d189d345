import { Redis } from "ioredis";
import { countdown, type Payload, pump, type Subject } from "../subject.ts";

const prefix = "{raw}:";
const keys = [`${prefix}wait`, `${prefix}messages`, `${prefix}lease`, `${prefix}results`];

const push = `
for i = 1, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('RPUSH', KEYS[1], ARGV[i])
end
return #ARGV / 2`;

/** Acknowledges a batch with its results and leases the next, in one call. */
const ackAndLease = `
local count = tonumber(ARGV[1])
for i = 3, #ARGV, 2 do
  redis.call('ZREM', KEYS[3], ARGV[i])
  redis.call('HDEL', KEYS[2], ARGV[i])
  redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
end
local ids = redis.call('LPOP', KEYS[1], count)
if not ids then return {} end
local messages = redis.call('HMGET', KEYS[2], unpack(ids))
local leases = {}
for i, id in ipairs(ids) do
  leases[#leases + 1] = ARGV[2]
  leases[#leases + 1] = id
end
redis.call('ZADD', KEYS[3], unpack(leases))
return {ids, messages}`;

const batch = 100;

/** What ioredis and Redis can do with messages, leases and kept results, and with nothing else: no retries, no recovery. */
export const rawRedis: Subject = {
  enqueueMany: async ({ url, count, payload, onWarm }) => {
    const redis = connect(url);
    const call = (index: number): Promise<unknown> =>
      redis.call(
        "EVAL",
        push,
        4,
        ...keys,
        ...Array.from({ length: batch }, (_, item) => [`${index}-${item}`, JSON.stringify(payload)]).flat(),
      );
    return {
      run: () => pump({ count: count / batch, inFlight: 4, onWarm }, call),
      close: async () => redis.disconnect(),
    };
  },
  process: async ({ url, ...course }) => {
    const redis = connect(url);
    const { done, tick } = countdown(course);
    const loop = async (): Promise<void> => {
      let finished: string[] = [];
      for (;;) {
        const [ids, messages] = (await redis.call(
          "EVAL",
          ackAndLease,
          4,
          ...keys,
          batch,
          Date.now() + 30_000,
          ...finished,
        )) as [string[]?, string[]?];
        if (ids === undefined || messages === undefined) return;
        finished = (
          await Promise.all(ids.map(async (id, index) => [id, await handle(messages[index] ?? "{}")]))
        ).flat();
        for (const _ of ids) tick();
      }
    };
    return {
      run: async () => {
        await Promise.all([loop(), loop()]);
        await done;
      },
      close: async () => redis.disconnect(),
    };
  },
  roundTrip: async ({ url, payload }) => {
    const [client, blocked, server] = [connect(url), connect(url), connect(url)];
    let isOpen = true;
    const serve = async (): Promise<void> => {
      while (isOpen) {
        const taken = await server.brpop("raw:requests", 1);
        if (taken !== null) await server.lpush("raw:replies", await handle(taken[1]));
      }
    };
    const serving = serve();
    const once = async (): Promise<void> => {
      await Promise.all([client.lpush("raw:requests", JSON.stringify(payload)), blocked.brpop("raw:replies", 5)]);
    };
    const close = async (): Promise<void> => {
      isOpen = false;
      await serving;
      for (const redis of [client, blocked, server]) redis.disconnect();
    };
    return { once, close };
  },
};

async function handle(message: string): Promise<string> {
  return String((JSON.parse(message) as Payload).text.length);
}

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null });
}
