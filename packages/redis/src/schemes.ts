import type { UrlSchemes } from "@taskferry/core";
import { redisList } from "./list/broker.ts";
import { readUrl } from "./options.ts";
import { redisResults } from "./results/backend.ts";
import { redisState } from "./state/store.ts";

/** What `redis:` and `rediss:` URLs stand for in a configuration. */
export const schemes: UrlSchemes = {
  brokers: { "redis:": (url) => redisList(readUrl(url)), "rediss:": (url) => redisList(readUrl(url)) },
  results: { "redis:": (url) => redisResults(readUrl(url)), "rediss:": (url) => redisResults(readUrl(url)) },
  states: { "redis:": (url) => redisState(readUrl(url)), "rediss:": (url) => redisState(readUrl(url)) },
};
