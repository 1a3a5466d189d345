import type { UrlSchemes } from "@taskferry/core";
import { sqlite, sqliteResults, sqliteState } from "./sqlite.ts";

/** How a configuration's URLs such as `"sqlite:.taskferry/queue.db"` become brokers, result backends and state stores. */
export const schemes = {
  brokers: { "sqlite:": (url: string) => sqlite({ url }) },
  results: { "sqlite:": (url: string) => sqliteResults({ url }) },
  states: { "sqlite:": (url: string) => sqliteState({ url }) },
} satisfies UrlSchemes;
