import type { UrlSchemes } from "@taskferry/core";
import { rabbitmq } from "./broker.ts";
import { rabbitmqFanout } from "./fanout/broker.ts";
import { readUrl } from "./options.ts";
import { rabbitmqResults } from "./results/backend.ts";

/** What `amqp:` URLs stand for in a configuration. */
export const schemes: UrlSchemes = {
  brokers: {
    "amqp:": (url) => rabbitmq(readUrl(url)),
    "amqps:": (url) => rabbitmq(readUrl(url)),
    "amqp+fanout:": (url) => rabbitmqFanout(readUrl(url)),
    "amqps+fanout:": (url) => rabbitmqFanout(readUrl(url)),
  },
  results: { "amqp:": (url) => rabbitmqResults(readUrl(url)), "amqps:": (url) => rabbitmqResults(readUrl(url)) },
};
