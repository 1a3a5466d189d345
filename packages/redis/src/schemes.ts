import type { Broker, UrlSchemes } from "@taskferry/core";
import { redisList } from "./list/broker.ts";
import { type RedisPubSubOptions, type RedisQueueOptions, readUrl } from "./options.ts";
import { redisPubSub } from "./pubsub/broker.ts";
import { redisResults } from "./results/backend.ts";
import { redisState } from "./state/store.ts";
import { redisStream } from "./stream/broker.ts";

/** What `redis:` and `rediss:` URLs stand for in a configuration; `redis+stream:` and `redis+pubsub:` name another broker. */
export const schemes: UrlSchemes = {
  brokers: {
    "redis:": (url) => redisList(readUrl(url)),
    "rediss:": (url) => redisList(readUrl(url)),
    "redis+stream:": at(redisStream),
    "rediss+stream:": at(redisStream),
    "redis+pubsub:": at(redisPubSub),
    "rediss+pubsub:": at(redisPubSub),
  },
  results: { "redis:": (url) => redisResults(readUrl(url)), "rediss:": (url) => redisResults(readUrl(url)) },
  states: { "redis:": (url) => redisState(readUrl(url)), "rediss:": (url) => redisState(readUrl(url)) },
};

/** The driver knows the plain scheme only. */
function at(create: (options: RedisQueueOptions & RedisPubSubOptions) => Broker): (url: string) => Broker {
  return (url) => create(readUrl(url.replace(/\+[a-z]+:/, ":")));
}
