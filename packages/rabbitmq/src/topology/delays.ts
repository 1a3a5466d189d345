import type { Channel } from "amqplib";
import type { Names } from "./names.ts";

/**
 * Delays without a plugin: 28 levels, of which level L holds a message for 2^L seconds or lets it by. Each is a topic
 * exchange with a queue whose messages expire; the routing key begins with the delay in seconds as 28 binary digits, and
 * ends with the queue that the message is for.
 */
const levels = 28;
/** The finest delay, in milliseconds. */
export const delayStep = 1_000;
/** 8.5 years. */
export const longestDelay = (2 ** levels - 1) * delayStep;

export interface DelayRoute {
  readonly exchange: string;
  readonly routingKey: string;
}

/** Where a message goes that is to be delayed, at least by `delay` milliseconds. */
export function delayRoute(names: Names, delay: number, target: string): DelayRoute {
  const seconds = Math.ceil(delay / delayStep);
  const highest = 31 - Math.clz32(seconds);
  const digits = seconds.toString(2).padStart(levels, "0");
  return { exchange: names.delay(highest), routingKey: `${[...digits].join(".")}.${target}` };
}

/** The pattern by which a queue gets what its name ends. */
export function deliverPattern(target: string): string {
  return `#.${target}`;
}

export async function declareDeliver(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.deliver, "topic", { durable: true });
}

/** From the lowest level up, so that each has something to pass its messages on to. */
export async function declareDelays(channel: Channel, names: Names): Promise<void> {
  await declareDeliver(channel, names);
  for (let level = 0; level < levels; level += 1) {
    const below = level === 0 ? names.deliver : names.delay(level - 1);
    const name = names.delay(level);
    const before = "*.".repeat(levels - 1 - level);
    await channel.assertExchange(name, "topic", { durable: true });
    await channel.assertQueue(name, { durable: true, arguments: delayArguments(level, below) });
    await channel.bindQueue(name, name, `${before}1.#`);
    await channel.bindExchange(below, name, `${before}0.#`);
  }
}

function delayArguments(level: number, below: string): Readonly<Record<string, unknown>> {
  return {
    "x-queue-type": "quorum",
    "x-message-ttl": 2 ** level * delayStep,
    "x-dead-letter-exchange": below,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
  };
}
