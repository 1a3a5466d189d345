import type { UrlSchemes } from "@taskferry/core";
import { natsCore, natsFanout } from "./core/broker.ts";
import { nats } from "./jetstream/broker.ts";
import { readUrl } from "./options.ts";
import { natsResults } from "./results/backend.ts";
import { natsState } from "./state/store.ts";

/** What `nats:`, `nats+core:` and `nats+fanout:` URLs stand for in a configuration. */
export const schemes: UrlSchemes = {
  brokers: {
    "nats:": (url) => nats(readUrl(url)),
    "nats+core:": (url) => natsCore(readUrl(url)),
    "nats+fanout:": (url) => natsFanout(readUrl(url)),
  },
  results: { "nats:": (url) => natsResults(readUrl(url)) },
  states: { "nats:": (url) => natsState(readUrl(url)) },
};
