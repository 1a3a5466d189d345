import { randomUUID } from "node:crypto";
import { dedupeId, type Settlement, type SettleResult } from "@taskferry/core";
import type { Options } from "amqplib";
import { deliveriesBefore, withDeliveries, withReason } from "../copies.ts";
import type { Fate } from "../parcels.ts";
import { type Errand, type Publisher, tooLong } from "../publisher.ts";
import { longestDelay } from "../topology/delays.ts";
import type { Names } from "../topology/names.ts";
import { heldOf } from "./delivery.ts";
import type { Held } from "./intake.ts";

export interface SettlingParts {
  readonly queue: string;
  readonly names: Names;
  readonly publisher: Publisher;
  readonly isMine: (held: Held) => boolean;
}

interface Task {
  readonly index: number;
  readonly settlement: Settlement;
  readonly held: Held;
}

/**
 * Ends deliveries: publishes what is to take their place, and then acknowledges them. Publishing first means that a crash
 * between the two doubles and never loses.
 */
export async function settleAll(
  settlements: readonly Settlement[],
  parts: SettlingParts,
  deadline: number,
): Promise<readonly SettleResult[]> {
  refuseLongDelays(settlements);
  const results: SettleResult[] = settlements.map(() => "lost");
  const ending: Task[] = [];
  const replacing: Task[] = [];
  settlements.forEach((settlement, index) => {
    const held = heldOf(settlement.delivery);
    if (!parts.isMine(held) || held.isEnding) return;
    held.isEnding = true;
    (settlement.kind === "ack" ? ending : replacing).push({ index, settlement, held });
  });
  // What only ends does not wait for what is published, which may take its time while memory is short.
  const acknowledging = acknowledge(ending, results);
  try {
    const fates = replacing.length === 0 ? [] : await replace(replacing, parts, deadline);
    const alive = replacing
      .map((task, index) => ({ task, fate: fates[index] }))
      .filter(({ task }) => task.held.intake.isAlive);
    for (const { task, fate } of alive) if (fate !== "confirmed") giveUp(task, results);
    await acknowledge(
      alive.filter(({ fate }) => fate === "confirmed").map(({ task }) => task),
      results,
    );
  } finally {
    await acknowledging;
  }
  return results;
}

async function acknowledge(ended: readonly Task[], results: SettleResult[]): Promise<void> {
  const [first] = ended;
  if (first === undefined) return;
  const { intake } = first.held;
  intake.ack(ended.map(({ held }) => held));
  let result: SettleResult = "settled";
  await intake.confirm().catch(() => {
    result = "unknown";
  });
  for (const { index } of ended) results[index] = result;
}

/** What could not be published stays; a hand-back can do without, at the price of being counted. */
function giveUp({ index, settlement, held }: Task, results: SettleResult[]): void {
  if (settlement.kind === "release") {
    held.intake.giveBack(held);
    results[index] = "settled";
    return;
  }
  held.isEnding = false;
  results[index] = "unknown";
}

async function replace(replacing: readonly Task[], parts: SettlingParts, deadline: number): Promise<readonly Fate[]> {
  const errands = replacing.map((task) => errandOf(task, parts));
  try {
    return await parts.publisher.carry(errands, deadline);
  } catch (error) {
    for (const { held } of replacing) held.isEnding = false;
    throw error;
  }
}

function errandOf({ settlement, held }: Task, { queue, names, publisher }: SettlingParts): Errand {
  switch (settlement.kind) {
    case "retry":
      return publisher.errandOf({ message: settlement.next, delay: settlement.delay });
    case "reject": {
      const { message } = settlement.delivery;
      // Its key in the dead letters. A second reject of the same delivery, its answer lost, gets the same.
      const id = message === undefined ? `malformed:${randomUUID()}` : dedupeId(message);
      const options = { ...copyOptions(held, id), ...withReason(JSON.stringify(settlement.reason)) };
      return {
        parcel: { exchange: "", routingKey: names.dead(queue), content: held.raw.content, options },
        prepare: (topology, model) => topology.dead(model, queue),
      };
    }
    default:
      return releaseErrand(held, queue, names);
  }
}

/** The same bytes at the end of their queue, with the deliveries that count so far. */
export function releaseErrand(held: Held, queue: string, names: Names): Errand {
  const options = { ...copyOptions(held), ...withDeliveries(deliveriesBefore(held.raw)) };
  return {
    parcel: { exchange: "", routingKey: names.queue(queue, held.band), content: held.raw.content, options },
    prepare: (topology, model) => topology.band(model, queue, held.band),
  };
}

function copyOptions({ raw }: Held, id = raw.properties.messageId as unknown): Options.Publish {
  return { mandatory: true, persistent: true, ...(typeof id === "string" && { messageId: id }) };
}

function refuseLongDelays(settlements: readonly Settlement[]): void {
  for (const settlement of settlements)
    if (settlement.kind === "retry" && settlement.delay > longestDelay) throw tooLong(settlement.delay);
}
