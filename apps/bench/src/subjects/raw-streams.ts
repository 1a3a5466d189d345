import { Redis } from "ioredis";
import { countdown, type Payload, pump, type Subject } from "../subject.ts";

const stream = "raw:stream";
const group = "raw";
const replies = "raw:replies";
const batch = 100;

type Entry = readonly [id: string, fields: readonly string[]];
type Reply = readonly (readonly [stream: string, entries: readonly Entry[]])[] | null;

/** What ioredis and a consumer group can do with messages, and with nothing else: no results, no retries, no recovery. */
export const rawStreams: Subject = {
  enqueueOne: async ({ url, payload, ...course }) => {
    const redis = connect(url);
    const add = (): Promise<unknown> => redis.xadd(stream, "*", "m", JSON.stringify(payload));
    return { run: () => pump(course, add), close: async () => redis.disconnect() };
  },
  enqueueMany: async ({ url, count, payload, onWarm }) => {
    const redis = connect(url);
    const call = async (): Promise<void> => {
      const pipeline = redis.pipeline();
      for (let item = 0; item < batch; item += 1) pipeline.xadd(stream, "*", "m", JSON.stringify(payload));
      await pipeline.exec();
    };
    return {
      run: () => pump({ count: count / batch, inFlight: 4, onWarm }, call),
      close: async () => redis.disconnect(),
    };
  },
  process: async ({ url, ...course }) => {
    const redis = connect(url);
    await redis.xgroup("CREATE", stream, group, "0", "MKSTREAM");
    const { done, tick } = countdown(course);
    const loop = async (): Promise<void> => {
      for (;;) {
        const reply = (await redis.xreadgroup("GROUP", group, "one", "COUNT", batch, "STREAMS", stream, ">")) as Reply;
        if (reply === null) return;
        const entries = reply[0]?.[1] ?? [];
        await Promise.all(entries.map(async ([, [, message]]) => handle(message ?? "{}")));
        const ids = entries.map(([id]) => id);
        await redis
          .pipeline()
          .xack(stream, group, ...ids)
          .xdel(stream, ...ids)
          .exec();
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
    const [client, listening, blocked, server] = [connect(url), connect(url), connect(url), connect(url)];
    await server.xgroup("CREATE", stream, group, "0", "MKSTREAM");
    await listening.subscribe(replies);
    let isOpen = true;
    const serve = async (): Promise<void> => {
      while (isOpen) {
        const taken = (await blocked.xreadgroup(
          "GROUP",
          group,
          "one",
          "COUNT",
          batch,
          "BLOCK",
          1_000,
          "STREAMS",
          stream,
          ">",
        )) as Reply;
        for (const [id, [, message]] of taken?.[0]?.[1] ?? []) {
          void server.publish(replies, String(await handle(message ?? "{}")));
          void server.pipeline().xack(stream, group, id).xdel(stream, id).exec();
        }
      }
    };
    const serving = serve();
    const once = async (): Promise<void> => {
      const replied = new Promise((resolve) => listening.once("message", resolve));
      await Promise.all([client.xadd(stream, "*", "m", JSON.stringify(payload)), replied]);
    };
    const close = async (): Promise<void> => {
      isOpen = false;
      await serving;
      for (const redis of [client, listening, blocked, server]) redis.disconnect();
    };
    return { once, close };
  },
};

async function handle(message: string): Promise<number> {
  return (JSON.parse(message) as Payload).text.length;
}

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null });
}
