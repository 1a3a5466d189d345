import type { Broker, BrokerAdmin, Config, FoundHandlers } from "@taskferry/core";
import { countOf } from "../output/count.ts";
import { summarize } from "../output/describe-error.ts";
import { type Check, createCheck, type Finding } from "./finding.ts";

/** How many waiting messages of a queue are looked at. */
const sample = 100;

/** Looks for messages that nobody would run: dead ones, ones of tasks without a handler, ones in queues without a worker. */
export async function checkQueues(
  { admin, name }: Broker,
  config: Config,
  found: FoundHandlers,
): Promise<readonly Finding[]> {
  const check = createCheck("queues");
  if (admin === undefined) {
    check.skipped(`${name} cannot be looked into`);
    return check.findings;
  }
  try {
    const queues = await admin.queues();
    for (const queue of queues) await checkQueue(queue, { admin, check, config, found });
    if (check.findings.length === 0)
      check.ok(queues.length === 0 ? "empty" : `${queues.length} in use: ${queues.join(", ")}`);
  } catch (error) {
    check.failure(summarize(error), "The broker was reached a moment ago: run doctor again, and look at its logs.");
  }
  return check.findings;
}

interface QueueParts {
  readonly admin: BrokerAdmin;
  readonly check: Check;
  readonly config: Config;
  readonly found: FoundHandlers;
}

async function checkQueue(queue: string, { admin, check, config, found }: QueueParts): Promise<void> {
  const { ready = 0, dead = 0 } = await admin.depth(queue);
  if (dead > 0)
    check.warning(
      `"${queue}" has ${countOf(dead, "dead letter")}`,
      `Look at them: taskferry dead list --queue ${queue}. Then replay or drop them.`,
    );
  if (ready === 0 || found.handlers.length === 0) return;

  const tasks = found.handlers.map(({ handler }) => handler.task);
  const served = config.queues === undefined ? tasks.map(({ options }) => options.queue) : Object.keys(config.queues);
  if (!served.includes(queue)) {
    check.warning(
      `"${queue}" holds ${countOf(ready, "ready message")}, and no worker of this configuration serves it`,
      `Start one elsewhere, or here: taskferry worker --queues ${queue}.`,
    );
    return;
  }
  const { entries } = await admin.list(queue, { section: "ready", limit: sample });
  const waiting = new Set(entries.flatMap(({ message }) => (message === undefined ? [] : [message.task])));
  for (const task of waiting) {
    if (tasks.some(({ name }) => name === task)) continue;
    check.warning(
      `"${queue}" holds messages of the task "${task}", which has no handler here`,
      "Add its handler: a worker that serves this queue sends them to the dead letters.",
    );
  }
}
