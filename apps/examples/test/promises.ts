import { readFile } from "node:fs/promises";
import { type Broker, memory, memoryFanout } from "@taskferry/core";
import { nats, natsCore, natsFanout } from "@taskferry/nats";
import { rabbitmq, rabbitmqFanout } from "@taskferry/rabbitmq";
import { redisList, redisPubSub, redisStream } from "@taskferry/redis";
import { sqlite } from "@taskferry/sqlite";

interface Offer {
  readonly name: string;
  readonly package: string;
  readonly url: string;
  readonly broker: Broker;
}

/** Every broker, in the order of the table. None of them is connected. */
const offers: readonly Offer[] = [
  { name: "redisList", package: "redis", url: "redis://host", broker: redisList() },
  { name: "redisStream", package: "redis", url: "redis+stream://host", broker: redisStream() },
  { name: "rabbitmq", package: "rabbitmq", url: "amqp://host", broker: rabbitmq() },
  { name: "nats", package: "nats", url: "nats://host", broker: nats() },
  { name: "sqlite", package: "sqlite", url: "sqlite:path/queue.db", broker: sqlite({ path: "queue.db" }) },
  { name: "memory", package: "core", url: "memory:", broker: memory() },
  { name: "natsCore", package: "nats", url: "nats+core://host", broker: natsCore() },
  { name: "redisPubSub", package: "redis", url: "redis+pubsub://host", broker: redisPubSub() },
  { name: "rabbitmqFanout", package: "rabbitmq", url: "amqp+fanout://host", broker: rabbitmqFanout() },
  { name: "natsFanout", package: "nats", url: "nats+fanout://host", broker: natsFanout() },
  { name: "memoryFanout", package: "core", url: "", broker: memoryFanout() },
];

const columns: readonly (readonly [heading: string, cell: (offer: Offer) => string])[] = [
  ["broker", ({ name }) => `\`${name}\``],
  ["URL", ({ url }) => (url === "" ? "" : `\`${url}\``)],
  ["package", ({ package: name }) => `@taskferry/${name}`],
  [
    "delivers",
    ({ broker }) => `${broker.capabilities.delivery.replaceAll("-", " ")}, to ${broker.capabilities.receivers} worker`,
  ],
  ["a worker crashes", ({ broker }) => afterCrash(broker)],
  ["the server crashes", ({ broker }) => (broker.capabilities.durable === "refused" ? "gone" : "kept")],
  ["delay", ({ broker }) => delayOf(broker)],
  ["priority", ({ broker }) => (broker.capabilities.priority === "refused" ? "no" : "bands")],
  ["dead letters", ({ broker }) => yes(broker.capabilities.deadLetters)],
  ["recognises an id", ({ broker }) => dedupeOf(broker)],
  ["brings along", ({ broker }) => Object.keys(broker.companions ?? {}).join(", ") || "nothing"],
];

/** The table of promises in the README: what each broker declares, and what of the suites it does not keep. */
export async function tableOfPromises(root: URL): Promise<string> {
  const head = [columns.map(([heading]) => heading), columns.map(() => "---")];
  const rows = offers.map((offer) => columns.map(([, cell]) => cell(offer)));
  const table = [...head, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  const skips = (
    await Promise.all([...new Set(offers.map((offer) => offer.package))].map((name) => readSkips(root, name)))
  ).flat();
  const notes = skips.map(
    ({ broker, reason, tests }) =>
      `- \`${broker}\` does not keep ${tests.map((test) => `"${test}"`).join(", ")}: ${reason}.`,
  );
  return `${table}\n\nRules of the conformance suite that a broker does not keep, besides those that it declares it cannot:\n\n${notes.join("\n")}`;
}

interface SkippedRule {
  readonly broker: string;
  readonly reason: string;
  readonly tests: readonly string[];
}

async function readSkips(root: URL, name: string): Promise<readonly SkippedRule[]> {
  const text = await readFile(new URL(`packages/${name}/test/skip.json`, root), "utf8").catch(() => "[]");
  return JSON.parse(text) as readonly SkippedRule[];
}

function afterCrash({ capabilities: { redelivery, lease } }: Broker): string {
  if (redelivery === "refused") return "the task is lost";
  return lease === "refused" ? "its connection ends, another takes over" : "its lease ends, another takes over";
}

function delayOf({ capabilities: { delay, delayResolution } }: Broker): string {
  return delay === "refused" ? "no" : `${delay}, up to ${delayResolution} ms late`;
}

function dedupeOf({ capabilities: { dedupe, dedupeWindow } }: Broker): string {
  return dedupe === "refused" ? "no" : `for ${Math.round(dedupeWindow / 60_000)} min after it left`;
}

function yes(support: string): string {
  return support === "refused" ? "no" : "yes";
}
